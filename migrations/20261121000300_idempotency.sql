-- Idempotency: a request that moves money takes effect once, however often it is sent.

insert into app.error_codes (code, status) values
  ('idempotency_key_required', 400),
  ('idempotency_key_reused', 409),
  ('request_in_progress', 409);

insert into app.settings (name, value, minimum, maximum, description) values
  ('idempotency_retention_hours', 72, 24, 8760, 'How long the answer to an Idempotency-Key is kept.'),
  ('idempotency_lease_seconds', 60, 5, 3600, 'How long a request that left its first transaction counts as still running.');

create table app.idempotency_keys (
  user_id uuid not null,
  endpoint text not null,
  key text not null,
  request_hash bytea not null,
  answer jsonb,
  subject_id uuid,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  primary key (user_id, endpoint, key)
);
comment on table app.idempotency_keys is
  'One row for each key a user sent to an endpoint; answer is null while the request runs. No foreign key: it '
  'would lock the person''s row for every purchase, and the rows live for days only.';
comment on column app.idempotency_keys.subject_id is
  'The row that is worked on, for work that takes more than one transaction, or that the answer tells of.';
comment on column app.idempotency_keys.leased_until is 'Until when it counts as running; null once it was done in one go.';
create index idempotency_keys_created_at on app.idempotency_keys using brin (created_at);

-- Claims the key for the caller. Returns null when the caller shall do the work, or the answer that
-- was given before. Work in one transaction stores its answer in that transaction: a second request
-- waits here for the first to end. Work that leaves its transaction to ask a provider holds a lease;
-- once that has run out the key can be claimed again, and the work goes on from its own rows.
-- Called first, by every function that moves money: this row is locked before any other.
-- Raises idempotency_key_required, idempotency_key_reused, request_in_progress.
create function app.claim_key(p_user_id uuid, p_endpoint text, p_key text, p_request jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_hash bytea := sha256(convert_to(p_request::text, 'utf8'));
  v_lease interval := make_interval(secs => app.setting('idempotency_lease_seconds'));
  v_row app.idempotency_keys;
begin
  if coalesce(length(p_key), 0) not between 1 and 255 then
    perform app.fail('idempotency_key_required');
  end if;
  insert into app.idempotency_keys (user_id, endpoint, key, request_hash, leased_until)
  values (p_user_id, p_endpoint, p_key, v_hash, app.clock() + v_lease)
  on conflict do nothing;
  if found then
    return null;
  end if;

  select * into v_row from app.idempotency_keys
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
  for update;
  if v_row.request_hash is distinct from v_hash then
    perform app.fail('idempotency_key_reused');
  end if;
  if v_row.answer is null and v_row.leased_until > app.clock() then
    perform app.fail('request_in_progress');
  end if;
  if v_row.answer is null then
    update app.idempotency_keys set leased_until = app.clock() + v_lease
    where user_id = p_user_id and endpoint = p_endpoint and key = p_key;
  end if;
  return v_row.answer;
end
$$;

-- The row that the work under this key began, if it has; and the other way, which remembers it.
create function app.subject_of_key(p_user_id uuid, p_endpoint text, p_key text) returns uuid
language plpgsql stable security definer set search_path = '' as $$
begin
  return (select subject_id from app.idempotency_keys
    where user_id = p_user_id and endpoint = p_endpoint and key = p_key);
end
$$;
create function app.set_subject_of_key(p_user_id uuid, p_endpoint text, p_key text, p_subject_id uuid) returns void
language sql security definer set search_path = '' as $$
  update app.idempotency_keys set subject_id = p_subject_id
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
$$;

-- Stores the final answer, in the transaction of the effect, and returns it. Called last. Where a request went
-- on after its lease and another has answered meanwhile, that answer stays: nobody is told two.
create function app.store_answer(p_user_id uuid, p_endpoint text, p_key text, p_answer jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_answer jsonb;
begin
  update app.idempotency_keys set answer = coalesce(answer, p_answer)
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
  returning answer into v_answer;
  return coalesce(v_answer, p_answer);
end
$$;

-- Ends the lease of a request that failed for a passing reason, so that a retry may succeed at once.
create function app.release_key(p_user_id uuid, p_endpoint text, p_key text) returns void
language sql security definer set search_path = '' as $$
  update app.idempotency_keys set leased_until = '-infinity'
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key and answer is null
$$;

-- Deletes keys that are past their retention. Called by a scheduled job.
create function app.purge_idempotency_keys() returns bigint
language sql security definer set search_path = '' as $$
  with gone as (
    delete from app.idempotency_keys
    where created_at < app.clock() - make_interval(hours => app.setting('idempotency_retention_hours'))
    returning 1
  )
  select count(*) from gone
$$;
