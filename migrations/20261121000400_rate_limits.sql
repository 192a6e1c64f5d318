-- Rate limits: a token bucket for each user and class of request.

insert into app.error_codes (code, status) values
  ('rate_limited', 429);

create table app.rate_limits (
  class text primary key,
  burst integer not null check (burst > 0),
  per_seconds integer not null check (per_seconds > 0)
);
comment on table app.rate_limits is
  'For each class: this many requests at once, and as many again in every per_seconds.';
insert into app.rate_limits (class, burst, per_seconds) values
  ('money', 10, 60),
  ('account', 120, 60);

-- Unlogged: a crash forgives everybody, and costs the hot path no WAL.
create unlogged table app.rate_buckets (
  class text not null references app.rate_limits (class) on delete cascade,
  subject uuid not null,
  tokens double precision not null,
  filled_at timestamptz not null,
  primary key (class, subject)
) with (fillfactor = 50);
comment on table app.rate_buckets is 'The tokens that each user has left, as of filled_at.';

-- Takes a token, or raises rate_limited with the seconds until there is one. A request that fails
-- later gives its token back with everything else it did. Locks the user's own bucket only.
-- Called after the idempotency key is claimed: answering a repeated request again costs nothing.
create function app.take_token(p_class text, p_user_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_limit app.rate_limits;
  v_tokens double precision;
  v_rate double precision;
begin
  select * into strict v_limit from app.rate_limits where class = p_class;
  v_rate := v_limit.burst::double precision / v_limit.per_seconds;

  insert into app.rate_buckets as b (class, subject, tokens, filled_at)
  values (p_class, p_user_id, v_limit.burst - 1, v_now)
  on conflict (class, subject) do update set
    tokens = least(v_limit.burst, b.tokens + v_rate * extract(epoch from greatest(v_now - b.filled_at, '0'))) - 1,
    filled_at = greatest(v_now, b.filled_at)
  returning tokens into v_tokens;

  if v_tokens < 0 then
    perform app.fail('rate_limited', jsonb_build_object('retry_after', ceil(-v_tokens / v_rate)));
  end if;
end
$$;

-- Deletes buckets that have long been full again. Called by a scheduled job.
create function app.purge_rate_buckets() returns bigint
language sql security definer set search_path = '' as $$
  with gone as (
    delete from app.rate_buckets b using app.rate_limits l
    where l.class = b.class and b.filled_at < app.clock() - make_interval(secs => 2 * l.per_seconds)
    returning 1
  )
  select count(*) from gone
$$;
