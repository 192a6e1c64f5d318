-- Rate limits: a token bucket for each user and class of request.

insert into app.error_codes (code, status) values
  ('rate_limited', 429);

create table app.rate_limits (
  class text primary key,
  burst integer not null check (burst > 0),
  per_seconds integer not null check (per_seconds > 0),
  spacing interval not null generated always as (make_interval(secs => per_seconds::double precision / burst)) stored
);
comment on table app.rate_limits is
  'For each class: this many requests at once, and as many again in every per_seconds.';
comment on column app.rate_limits.spacing is 'How long it takes until there is one more.';
insert into app.rate_limits (class, burst, per_seconds) values
  ('money', 10, 60),
  ('account', 120, 60);

-- Unlogged: a crash forgives everybody, and costs the hot path no WAL.
create unlogged table app.rate_buckets (
  class text not null references app.rate_limits (class) on delete cascade,
  subject uuid not null,
  full_at timestamptz not null,
  primary key (class, subject)
) with (fillfactor = 50);
comment on table app.rate_buckets is 'When each user''s bucket will be full again: what is missing now follows from that.';

-- Takes a token and returns the user's id, or raises rate_limited with the seconds until there is one. A
-- request that fails later gives its token back with everything else it did. Locks the user's own bucket only.
-- Called after the idempotency key is claimed: answering a repeated request again costs nothing.
create function app.take_token(p_class text, p_user_id uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_wait interval;
begin
  update app.rate_buckets b set full_at = greatest(b.full_at, v_now) + l.spacing
  from app.rate_limits l where l.class = p_class and b.class = p_class and b.subject = p_user_id
  returning b.full_at - v_now - make_interval(secs => l.per_seconds) into v_wait;

  if not found then
    insert into app.rate_buckets (class, subject, full_at)
    select class, p_user_id, v_now + spacing from app.rate_limits where class = p_class
    on conflict do nothing;
    if not found then
      return app.take_token(p_class, p_user_id); -- somebody else has just made the bucket
    end if;
  elsif v_wait > '0' then
    perform app.fail('rate_limited', jsonb_build_object('retry_after', ceil(extract(epoch from v_wait))));
  end if;
  return p_user_id;
end
$$;

-- Deletes buckets that are full again. Called by a scheduled job.
create function app.purge_rate_buckets() returns bigint
language sql security definer set search_path = '' as $$
  with gone as (
    delete from app.rate_buckets where full_at < app.clock() returning 1
  )
  select count(*) from gone
$$;
