-- A past of any size for the world of world.sql: sales of one ticket each, one a second until now, spread
-- over the 200 raffles. Every row is a copy of what begin_purchase itself wrote for a model purchase, but
-- for the few columns that must differ; so a column that is new or gone needs no change here.
-- Rows go in by time, through the indexes that are there: those end up as split and as full as years of
-- purchases leave them, which indexes made afterwards would not be.

create schema bench;

-- The models: one purchase in each raffle, and all that it left in the tables.
create table bench.models as
select n as raffle_no, (app.bench_buy(2, n, 1, n) #>> '{answer,purchase,id}')::uuid as purchase_id
from generate_series(1, 200) n;

create table bench.tables as
select name, to_regclass(name) as target from unnest(array[
  'public.purchases', 'public.tickets', 'public.wallet_ledger', 'app.outbox', 'app.idempotency_keys']) as name
where to_regclass(name) is not null;
do $$
declare
  v_name text;
begin
  for v_name in select name from bench.tables loop
    execute format('create table bench.%s as table %s', split_part(v_name, '.', 2), v_name);
  end loop;
end
$$;

create table bench.buyers as
select row_number() over (order by user_id) - 1 as no, user_id, id as account_id
from public.wallet_accounts where kind = 'USER';

create table bench.lanes as
select m.raffle_no, m.purchase_id as model_id, l.lane_no, l.end_num - l.fresh + 1 as next_num, count(*) over (partition by raffle_id) as lanes
from bench.models m join public.purchases p on p.id = m.purchase_id join app.raffle_lanes l using (raffle_id);

-- Copies the models' rows for each sale, with these columns' own values, into a table if there is one.
create function bench.copy(p_table text, p_models text, p_own jsonb) returns void
language plpgsql as $$
declare
  v_columns text;
  v_values text;
begin
  select string_agg(quote_ident(attname), ', '),
    string_agg(coalesce(p_own ->> attname::text, 'm.' || quote_ident(attname)), ', ')
  into v_columns, v_values
  from pg_attribute join bench.tables on attrelid = target
  where name = p_table and attnum > 0 and not attisdropped and attgenerated = '' and attidentity = '';
  if v_columns is not null then
    execute format('insert into %s (%s) select %s from sales s join %s order by s.n', p_table, v_columns, v_values, p_models);
  end if;
end
$$;

-- The sales from number p_first to p_last, of p_total. Others may fill other numbers beside it.
create function bench.fill(p_first integer, p_last integer, p_total integer) returns void
language plpgsql as $$
begin
  create temp table sales on commit drop as
  select n, nextval('app.ledger_transactions') as transaction_id, model_id, user_id, account_id, at,
    next_num + n / 200 / lanes as ticket_num,
    (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 14))::uuid as purchase_id
  from (
    select n - 1 as n, clock_timestamp() - make_interval(secs => p_total - n) as at from generate_series(p_first, p_last) n
  ) sale
  join bench.lanes on raffle_no = n % 200 + 1 and lane_no = n / 200 % lanes + 1
  join bench.buyers on no = 1 + abs(hashint4(n)::bigint) % (select count(*) - 1 from bench.buyers);
  analyze sales;

  perform bench.copy('public.purchases', 'bench.purchases m on m.id = s.model_id',
    '{"id": "s.purchase_id", "user_id": "s.user_id", "created_at": "s.at", "confirmed_at": "s.at"}');
  perform bench.copy('public.tickets', 'bench.tickets m on m.purchase_id = s.model_id',
    '{"ticket_num": "s.ticket_num", "user_id": "s.user_id", "purchase_id": "s.purchase_id", "created_at": "s.at"}');
  perform bench.copy('public.wallet_ledger', 'bench.wallet_ledger m on m.purchase_id = s.model_id',
    '{"transaction_id": "s.transaction_id", "account_id": "case when m.user_id is null then m.account_id else s.account_id end",
      "user_id": "case when m.user_id is not null then s.user_id end", "purchase_id": "s.purchase_id", "created_at": "s.at"}');
  perform bench.copy('app.outbox', '(table bench.outbox limit 1) m on true',
    '{"user_id": "s.user_id", "subject_id": "s.purchase_id", "created_at": "s.at"}');
  -- Keys are purged after three days.
  perform bench.copy('app.idempotency_keys',
    '(table bench.idempotency_keys limit 1) m on s.at > clock_timestamp() - interval ''72 hours''',
    '{"user_id": "s.user_id", "key": "s.purchase_id::text", "created_at": "s.at"}');
end
$$;

-- What is counted beside the rows. Once, after all of them.
create function bench.finish() returns void
language sql as $$
  update app.raffle_lanes l set fresh = end_num - start_num + 1 - (
    select count(*) from public.tickets t where t.raffle_id = l.raffle_id and ticket_num between start_num and end_num);
  update public.wallet_accounts a set balance_cents = l.cents
  from (
    select account_id, sum(case direction when 'CREDIT' then amount_cents else -amount_cents end) as cents
    from public.wallet_ledger where user_id is not null group by account_id
  ) l
  where a.id = l.account_id;
$$;
