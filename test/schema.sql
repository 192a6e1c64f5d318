-- What the migrations make: schemas public and app, and what they leave elsewhere.
-- Written by npm run schema, compared by a test; to be read, not to be run.


-- Schemas ---------------------------------------------------------------------------------------

create schema app;
comment on schema app is 'The work behind the API: SECURITY DEFINER functions and internal tables. Never exposed over HTTP.';
grant usage on schema app to anon;
grant usage on schema app to authenticated;
grant usage on schema app to service_role;

create schema public;
-- owner: pg_database_owner
comment on schema public is 'standard public schema';
grant usage on schema public to anon;
grant usage on schema public to authenticated;
grant create, usage on schema public to postgres;
grant usage on schema public to public;
grant usage on schema public to service_role;


-- Types -----------------------------------------------------------------------------------------

create domain app.amount as bigint
  constraint amount_check CHECK ((VALUE > 0));
comment on type app.amount is 'What is moved or to be paid, in minor units.';

create domain app.cents as bigint
  constraint cents_check CHECK ((VALUE >= 0));
comment on type app.cents is 'What there is, in minor units.';

create type app.event_outcome as enum ('applied', 'duplicate', 'ignored', 'quarantined');

create type app.lottery_source as enum ('OPERATOR', 'FEED');

create domain app.note as text
  constraint note_check CHECK (((length(VALUE) >= 1) AND (length(VALUE) <= 500)));

create type app.payout_item as (account_id bigint, amount_cents bigint, purchase_id uuid);
comment on type app.payout_item is 'What one account of the house pays to one wallet.';

create type app.posting as (account_id bigint, amount_cents bigint);
comment on type app.posting is 'An amount above zero is credited to the account, one below zero debited.';

create type app.purchase_order as (user_id uuid, key text, raffle_id uuid, quantity integer, numbers integer[], type public.purchase_type, payment_method public.payment_method, redeem boolean, ticket_id bigint, request jsonb, has_limits boolean);
comment on type app.purchase_order is 'What somebody wants to buy; request is what they sent, has_limits whether they keep to a limit of their own.';

create type app.reversal_kind as enum ('REFUND', 'DISPUTE');

create domain app.seat_count as integer
  constraint seat_count_check CHECK ((VALUE >= 0));

create type app.seats as (lane_no smallint, start_num integer, end_num integer);
comment on type app.seats is 'A range of seats of one lane.';

create type app.taking as (seats app.seats[], the_last boolean, raffle public.raffles);
comment on type app.taking is 'Seats that were taken, whether their lanes have none left that were never taken, and the terms they are sold on.';

create domain app.ticket_quantity as integer
  constraint ticket_quantity_check CHECK (((VALUE >= 1) AND (VALUE <= 100)));

create type public.account_kind as enum ('USER', 'RECEIVABLE', 'STRIPE_CLEARING', 'WITHDRAWALS', 'RAFFLE_ESCROW', 'REFUNDS_DUE', 'REVENUE', 'ADJUSTMENT');

create type public.account_status as enum ('ACTIVE', 'SUSPENDED', 'DEACTIVATED');

create type public.draw_method as enum ('BEACON', 'LOTTERY');

create type public.entry_direction as enum ('DEBIT', 'CREDIT');

create type public.entry_status as enum ('POSTED', 'REVERSAL');

create type public.hold_status as enum ('ACTIVE', 'CAPTURED', 'RELEASED');

create type public.kyc_status as enum ('NONE', 'PENDING', 'VERIFIED', 'REJECTED');

create type public.ledger_reason as enum ('TOPUP', 'TICKET_PURCHASE', 'REFUND', 'PRIZE_PAYOUT', 'WITHDRAWAL', 'ADJUSTMENT', 'FEE', 'ORDER', 'CHARGEBACK', 'DEBT');

create type public.limit_kind as enum ('spend', 'deposit');

create type public.limit_period as enum ('day', 'week', 'month');

create type public.notification_status as enum ('QUEUED', 'SENT', 'SKIPPED', 'DEAD');

create type public.numbering as enum ('SEQUENTIAL', 'PICK', 'RANDOM');

create type public.payment_form as enum ('checkout', 'payment_intent');

create type public.payment_method as enum ('wallet', 'card');

create type public.payment_status as enum ('CREATED', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED');

create type public.prize_claim_status as enum ('OFFERED', 'CLAIMED', 'SHIPPED', 'DELIVERED', 'FORFEITED');

create type public.purchase_status as enum ('PENDING', 'CONFIRMED', 'FAILED', 'EXPIRED', 'REFUNDED');

create type public.purchase_type as enum ('ENTRY', 'BOOST', 'RETRY');

create type public.raffle_state as enum ('DRAFT', 'OPEN', 'FULL', 'CLOSED', 'DRAWN', 'SETTLED', 'CANCELLED');

create type public.staff_role as enum ('operator', 'admin');

create type public.unsold_rule as enum ('NEXT_DRAW', 'REFUND', 'HOUSE');

create type public.wallet_status as enum ('ACTIVE', 'SUSPENDED');


-- Tables ----------------------------------------------------------------------------------------

create table app.admin_claims (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  at timestamp with time zone not null default clock_timestamp(),
  granted boolean not null default false,
  constraint admin_claims_pkey PRIMARY KEY (id),
  constraint admin_claims_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE
);
CREATE INDEX admin_claims_user ON app.admin_claims USING btree (user_id, at);
comment on table app.admin_claims is 'Every try to become the first admin, whatever became of it.';

create table app.beacon_chains (
  hash text not null,
  name text not null,
  period_seconds integer not null,
  genesis timestamp with time zone not null,
  in_use boolean not null default false,
  constraint beacon_chains_pkey PRIMARY KEY (hash),
  constraint beacon_chains_name_key UNIQUE (name),
  constraint beacon_chains_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text)),
  constraint beacon_chains_period_seconds_check CHECK ((period_seconds > 0))
);
CREATE UNIQUE INDEX beacon_chains_in_use ON app.beacon_chains USING btree (in_use) WHERE in_use;
comment on table app.beacon_chains is 'The drand chains we know; their keys are in shared/drand.ts. One is in use for new draws.';

create table app.card_payments (
  intent_id text not null,
  account_id bigint not null,
  amount_cents bigint not null,
  currency character(3) not null,
  livemode boolean not null,
  charge_refunded_cents bigint not null default 0,
  taken_cents bigint not null default 0,
  received_at timestamp with time zone not null default app.clock(),
  charge_told_at timestamp with time zone,
  constraint card_payments_pkey PRIMARY KEY (intent_id),
  constraint card_payments_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet_accounts(id),
  constraint card_payments_amount_cents_check CHECK ((amount_cents > 0)),
  constraint card_payments_intent_id_check CHECK (app.is_stripe_id(intent_id))
);
CREATE INDEX card_payments_account ON app.card_payments USING btree (account_id);
CREATE INDEX card_payments_charge_told ON app.card_payments USING btree (charge_told_at) WHERE (charge_told_at IS NOT NULL);
CREATE INDEX card_payments_received ON app.card_payments USING btree (received_at);
comment on table app.card_payments is 'Card money that reached us, and how much of it Stripe has taken back.';
comment on column app.card_payments.charge_refunded_cents is 'The most that a charge said had been refunded of it.';
comment on column app.card_payments.taken_cents is 'What refunds and disputes have taken so far, as posted.';
comment on column app.card_payments.charge_told_at is 'When a charge said so.';

create table app.card_refunds (
  id uuid not null default gen_random_uuid(),
  intent_id text not null,
  purchase_id uuid not null,
  amount_cents bigint not null,
  refund_id text,
  check_at timestamp with time zone default clock_timestamp(),
  checks smallint not null default 0,
  created_at timestamp with time zone not null default clock_timestamp(),
  failed_at timestamp with time zone,
  constraint card_refunds_pkey PRIMARY KEY (id),
  constraint card_refunds_refund_id_key UNIQUE (refund_id),
  constraint card_refunds_intent_id_fkey FOREIGN KEY (intent_id) REFERENCES app.card_payments(intent_id),
  constraint card_refunds_purchase_id_fkey FOREIGN KEY (purchase_id) REFERENCES public.purchases(id),
  constraint card_refunds_amount_cents_check CHECK ((amount_cents > 0))
);
CREATE INDEX card_refunds_check ON app.card_refunds USING btree (check_at) WHERE (check_at IS NOT NULL);
CREATE INDEX card_refunds_intent ON app.card_refunds USING btree (intent_id);
CREATE INDEX card_refunds_purchase ON app.card_refunds USING btree (purchase_id);
comment on table app.card_refunds is 'Card money that we send back: asked of Stripe by the sweeper, once.';
comment on column app.card_refunds.failed_at is 'Since then the buyer has it in the wallet: the bank did not take it.';

create table app.card_reversals (
  id text not null,
  intent_id text not null,
  kind app.reversal_kind not null,
  amount_cents bigint not null,
  status text not null,
  rank smallint not null,
  told_at timestamp with time zone not null default app.clock(),
  constraint card_reversals_pkey PRIMARY KEY (id),
  constraint card_reversals_intent_id_fkey FOREIGN KEY (intent_id) REFERENCES app.card_payments(intent_id),
  constraint card_reversals_amount_cents_check CHECK ((amount_cents > 0))
);
CREATE INDEX card_reversals_intent ON app.card_reversals USING btree (intent_id);
CREATE INDEX card_reversals_told ON app.card_reversals USING btree (told_at);
comment on table app.card_reversals is 'Refunds and disputes, each with the furthest status that Stripe has told of it.';
comment on column app.card_reversals.rank is '0 open, 1 done, 2 over; a status never goes back to a lower rank.';
comment on column app.card_reversals.told_at is 'When Stripe told of this status.';

create table app.draw_blocks (
  raffle_id uuid not null,
  hashes bytea not null,
  constraint draw_blocks_pkey PRIMARY KEY (raffle_id),
  constraint draw_blocks_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.draws(raffle_id)
);
comment on table app.draw_blocks is 'The nodes of a raffle''s tree that stand over 1024 tickets each, so that a proof for one need not hash all.';

create table app.error_codes (
  code text not null,
  status smallint not null,
  constraint error_codes_pkey PRIMARY KEY (code),
  constraint error_codes_code_check CHECK ((code ~ '^[a-z][a-z_]+$'::text)),
  constraint error_codes_status_check CHECK (((status >= 400) AND (status <= 599)))
);
comment on table app.error_codes is 'Every code that SQL raises, with its HTTP status. The messages are in shared/errors.ts; a test holds the two against each other.';
grant select on app.error_codes to anon;
grant select on app.error_codes to authenticated;
grant select on app.error_codes to service_role;

create table app.function_calls (
  id bigint not null generated always as identity,
  request_id bigint not null,
  job text not null,
  called_at timestamp with time zone not null default clock_timestamp(),
  ended_at timestamp with time zone,
  constraint function_calls_pkey PRIMARY KEY (id),
  constraint function_calls_job_fkey FOREIGN KEY (job) REFERENCES public.jobs(name) ON DELETE CASCADE
);
CREATE INDEX function_calls_job ON app.function_calls USING btree (job, called_at);
comment on table app.function_calls is 'What pg_net was asked to send for a job, until its answer is known.';

create table app.idempotency_keys (
  user_id uuid not null,
  endpoint text not null,
  key text not null,
  request_hash bytea not null,
  answer jsonb,
  subject_id uuid,
  leased_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  constraint idempotency_keys_pkey PRIMARY KEY (user_id, endpoint, key)
);
CREATE INDEX idempotency_keys_created_at ON app.idempotency_keys USING brin (created_at);
comment on table app.idempotency_keys is 'One row for each key a user sent to an endpoint; answer is null while the request runs. No foreign key: it would lock the person''s row for every purchase, and the rows live for days only.';
comment on column app.idempotency_keys.subject_id is 'The row that is worked on, for work that takes more than one transaction, or that the answer tells of.';
comment on column app.idempotency_keys.leased_until is 'Until when it counts as running; null once it was done in one go.';

create table app.ledger_mark (
  only_row boolean not null default true,
  rolled_up bigint not null default 0,
  noted bigint not null default 0,
  noted_at timestamp with time zone not null default clock_timestamp(),
  noted_xmax xid8 not null default '0'::xid8,
  constraint ledger_mark_pkey PRIMARY KEY (only_row),
  constraint ledger_mark_only_row_check CHECK (only_row)
);
comment on table app.ledger_mark is 'Up to which entry the house balances are rolled up, and which comes next.';

create table app.lottery_entries (
  lottery_id uuid not null,
  draw_date date not null,
  source app.lottery_source not null,
  operator_id uuid,
  winning_number text not null,
  series text,
  entered_at timestamp with time zone not null default clock_timestamp(),
  constraint lottery_entries_once UNIQUE NULLS NOT DISTINCT (lottery_id, draw_date, operator_id),
  constraint lottery_entries_lottery_id_fkey FOREIGN KEY (lottery_id) REFERENCES public.lotteries(id),
  constraint lottery_entries_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES public.profiles(id),
  constraint lottery_entries_source CHECK (((source = 'OPERATOR'::app.lottery_source) = (operator_id IS NOT NULL)))
);
CREATE INDEX lottery_entries_operator ON app.lottery_entries USING btree (operator_id);

create table app.number_claims (
  raffle_id uuid not null,
  num integer not null,
  purchase_id uuid not null,
  constraint number_claims_pkey PRIMARY KEY (raffle_id, num)
);
CREATE INDEX number_claims_purchase ON app.number_claims USING btree (purchase_id);
comment on table app.number_claims is 'The numbers that buyers of a PICK raffle have chosen.';

create table app.outbox (
  id bigint not null generated always as identity,
  event text not null,
  user_id uuid,
  subject_id uuid,
  details jsonb,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint outbox_pkey PRIMARY KEY (id)
);
comment on table app.outbox is 'What happened and has not been queued for anybody yet; see public.notifications.';
comment on column app.outbox.user_id is 'Whom to tell; null where the event says who they are: all who hold tickets, or staff.';
comment on column app.outbox.subject_id is 'The row that it is about; what is said of it is read when it is sent.';
comment on column app.outbox.details is 'What no row will say later.';

create table app.popular_raffles (
  raffle_id uuid not null,
  sold_lately bigint not null,
  constraint popular_raffles_pkey PRIMARY KEY (raffle_id),
  constraint popular_raffles_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.raffles(id)
);
comment on table app.popular_raffles is 'Tickets sold within a day, for each raffle that can be bought. Counted anew by the clock.';

create table app.raffle_gaps (
  raffle_id uuid not null,
  lane_no smallint not null,
  start_num integer not null,
  end_num integer not null,
  constraint raffle_gaps_pkey PRIMARY KEY (raffle_id, start_num),
  constraint raffle_gaps_raffle_id_lane_no_fkey FOREIGN KEY (raffle_id, lane_no) REFERENCES app.raffle_lanes(raffle_id, lane_no),
  constraint raffle_gaps_check CHECK ((end_num >= start_num))
);
CREATE INDEX raffle_gaps_lane ON app.raffle_gaps USING btree (raffle_id, lane_no);
comment on table app.raffle_gaps is 'Seats that came back, in ranges. They are sold once a lane has no others.';

create table app.raffle_keys (
  raffle_id uuid not null,
  key text not null default encode(extensions.gen_random_bytes(16), 'hex'::text),
  constraint raffle_keys_pkey PRIMARY KEY (raffle_id),
  constraint raffle_keys_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.raffles(id)
);
comment on table app.raffle_keys is 'What makes the order of a RANDOM raffle''s numbers unforeseeable.';

create table app.raffle_lanes (
  raffle_id uuid not null,
  lane_no smallint not null,
  open boolean not null default true,
  start_num integer not null,
  end_num integer not null,
  fresh app.seat_count not null,
  returned app.seat_count not null default 0,
  unpaid app.seat_count not null default 0,
  constraint raffle_lanes_pkey PRIMARY KEY (raffle_id, lane_no),
  constraint raffle_lanes_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.raffles(id)
) with (fillfactor=50);
comment on table app.raffle_lanes is 'The only rows of a raffle that its buyers change.';
comment on column app.raffle_lanes.open is 'False once sealed or cancelled: here, where every buyer passes.';
comment on column app.raffle_lanes.fresh is 'Seats that have never been taken: the last ones of the lane.';
comment on column app.raffle_lanes.returned is 'Seats that were taken and came back: those in raffle_gaps.';
comment on column app.raffle_lanes.unpaid is 'Seats that are reserved for payments under way.';

create unlogged table app.rate_buckets (
  class text not null,
  subject uuid not null,
  full_at timestamp with time zone not null,
  constraint rate_buckets_pkey PRIMARY KEY (class, subject),
  constraint rate_buckets_class_fkey FOREIGN KEY (class) REFERENCES app.rate_limits(class) ON DELETE CASCADE
) with (fillfactor=50);
comment on table app.rate_buckets is 'When each user''s bucket will be full again: what is missing now follows from that.';

create table app.rate_limits (
  class text not null,
  burst integer not null,
  per_seconds integer not null,
  spacing interval not null generated always as (make_interval(secs => ((per_seconds)::double precision / (burst)::double precision))) stored,
  constraint rate_limits_pkey PRIMARY KEY (class),
  constraint rate_limits_burst_check CHECK ((burst > 0)),
  constraint rate_limits_per_seconds_check CHECK ((per_seconds > 0))
);
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON app.rate_limits FOR EACH ROW EXECUTE FUNCTION app.record_change('class');
comment on table app.rate_limits is 'For each class: this many requests at once, and as many again in every per_seconds.';
comment on column app.rate_limits.spacing is 'How long it takes until there is one more.';

create table app.reservations (
  purchase_id uuid not null,
  lane_no smallint not null,
  start_num integer not null,
  end_num integer not null,
  constraint reservations_pkey PRIMARY KEY (purchase_id, start_num),
  constraint reservations_purchase_id_fkey FOREIGN KEY (purchase_id) REFERENCES public.purchases(id)
);
comment on table app.reservations is 'The seats of purchases whose tickets have not been issued.';

create table app.settings (
  name text not null,
  value integer not null,
  minimum integer not null,
  maximum integer not null,
  description text not null,
  constraint settings_pkey PRIMARY KEY (name),
  constraint settings_in_range CHECK (((value >= minimum) AND (value <= maximum))),
  constraint settings_name_check CHECK ((name ~ '^[a-z][a-z_]+$'::text))
);
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON app.settings FOR EACH ROW EXECUTE FUNCTION app.record_change('name');
comment on table app.settings is 'What an operator of the product may tune. Admins change a value by set_setting(); what a deployment sets (keys, addresses) is environment.';

create table app.state_changes (
  subject text not null,
  from_state text not null,
  to_state text not null,
  constraint state_changes_pkey PRIMARY KEY (subject, from_state, to_state)
);
comment on table app.state_changes is 'For each table with a status: the changes that are legal. What is not here is refused.';

create table app.stripe_customers (
  user_id uuid not null,
  customer_id text not null,
  constraint stripe_customers_pkey PRIMARY KEY (user_id),
  constraint stripe_customers_customer_id_key UNIQUE (customer_id),
  constraint stripe_customers_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id)
);

create table app.stripe_events (
  id text not null,
  type text not null,
  account text,
  object_id text,
  intent_id text,
  object jsonb not null,
  outcome app.event_outcome,
  created_at timestamp with time zone not null,
  received_at timestamp with time zone not null default clock_timestamp(),
  constraint stripe_events_pkey PRIMARY KEY (id)
);
CREATE INDEX stripe_events_quarantined ON app.stripe_events USING btree (intent_id) WHERE (outcome = 'quarantined'::app.event_outcome);
CREATE INDEX stripe_events_received ON app.stripe_events USING btree (received_at);
comment on table app.stripe_events is 'The inbox: every event that Stripe delivered and signed, with what came of it.';

CREATE TRIGGER make_profile AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION app.on_sign_up();
CREATE TRIGGER tell_subscriber_changed AFTER UPDATE OF email ON auth.users FOR EACH ROW WHEN (((old.email)::text IS DISTINCT FROM (new.email)::text)) EXECUTE FUNCTION app.tell_subscriber_changed();
CREATE TRIGGER tell_welcome AFTER UPDATE OF email_confirmed_at ON auth.users FOR EACH ROW WHEN (((old.email_confirmed_at IS NULL) AND (new.email_confirmed_at IS NOT NULL))) EXECUTE FUNCTION app.tell_welcome();
CREATE TRIGGER tell_welcome_at_once AFTER INSERT ON auth.users FOR EACH ROW WHEN ((new.email_confirmed_at IS NOT NULL)) EXECUTE FUNCTION app.tell_welcome();

create table public.audit_log (
  id bigint not null generated always as identity,
  at timestamp with time zone not null default clock_timestamp(),
  actor_id uuid,
  actor_kind text not null,
  action text not null,
  subject_table text not null,
  subject_id text not null,
  before jsonb,
  after jsonb,
  constraint audit_log_pkey PRIMARY KEY (id)
);
alter table public.audit_log enable row level security;
CREATE INDEX audit_log_actor ON public.audit_log USING btree (actor_id);
CREATE INDEX audit_log_subject ON public.audit_log USING btree (subject_table, subject_id);
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
create policy "Admins read the audit log" on public.audit_log for select to authenticated
  using (( SELECT app.has_role('admin'::public.staff_role) AS has_role));
comment on table public.audit_log is 'Who changed what; before and after hold only the columns that differ. Admins read it, nobody edits it.';
comment on column public.audit_log.actor_kind is 'admin, operator, player, or the database role that acted without a user.';
grant select on public.audit_log to authenticated;
grant select on public.audit_log to service_role;

create table public.currencies (
  code character(3) not null,
  minor_units smallint not null,
  name text not null,
  constraint currencies_pkey PRIMARY KEY (code),
  constraint currencies_code_check CHECK ((code ~ '^[A-Z]{3}$'::text)),
  constraint currencies_minor_units_check CHECK (((minor_units >= 0) AND (minor_units <= 4)))
);
alter table public.currencies enable row level security;
create policy "Everyone reads the currencies" on public.currencies for select to anon, authenticated
  using (true);
comment on table public.currencies is 'The currencies the product knows. 100 minor units are 1.00 EUR, and 100 JPY.';
comment on column public.currencies.minor_units is 'Digits after the decimal point.';
grant select on public.currencies to anon;
grant select on public.currencies to authenticated;
grant select on public.currencies to service_role;

create table public.draws (
  raffle_id uuid not null,
  ticket_count integer not null,
  ticket_root text not null,
  chain_hash text,
  round bigint,
  round_at timestamp with time zone,
  sealed_at timestamp with time zone not null,
  signature text,
  randomness text,
  drawn_at timestamp with time zone,
  constraint draws_pkey PRIMARY KEY (raffle_id),
  constraint draws_chain_hash_fkey FOREIGN KEY (chain_hash) REFERENCES app.beacon_chains(hash),
  constraint draws_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.raffles(id),
  constraint draws_beacon CHECK (((num_nulls(signature, randomness) = ANY (ARRAY[0, 2])) AND ((signature IS NULL) OR (round IS NOT NULL)))),
  constraint draws_randomness_check CHECK ((randomness ~ '^[0-9a-f]{64}$'::text)),
  constraint draws_round CHECK ((num_nulls(chain_hash, round, round_at) = ANY (ARRAY[0, 3]))),
  constraint draws_signature_check CHECK ((signature ~ '^[0-9a-f]{96}$'::text)),
  constraint draws_ticket_root_check CHECK ((ticket_root ~ '^[0-9a-f]{64}$'::text))
);
alter table public.draws enable row level security;
CREATE INDEX draws_chain ON public.draws USING btree (chain_hash);
CREATE INDEX draws_waiting ON public.draws USING btree (round_at) WHERE ((randomness IS NULL) AND (round IS NOT NULL));
CREATE TRIGGER enforce_sealed_draw BEFORE UPDATE ON public.draws FOR EACH ROW WHEN (((((((((old.raffle_id IS DISTINCT FROM new.raffle_id) OR (old.ticket_count IS DISTINCT FROM new.ticket_count)) OR (old.ticket_root IS DISTINCT FROM new.ticket_root)) OR (old.chain_hash IS DISTINCT FROM new.chain_hash)) OR (old.round IS DISTINCT FROM new.round)) OR (old.round_at IS DISTINCT FROM new.round_at)) OR (old.sealed_at IS DISTINCT FROM new.sealed_at)) OR (old.drawn_at IS NOT NULL))) EXECUTE FUNCTION app.enforce_sealed_draw();
CREATE TRIGGER refuse_deletion BEFORE DELETE OR TRUNCATE ON public.draws FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
create policy "Everyone reads draws" on public.draws for select to anon, authenticated
  using (true);
comment on table public.draws is 'What a sealed raffle is drawn from. Published as it stands, and never changed but to add the beacon.';
comment on column public.draws.round_at is 'When the round will be out; null for raffles that a lottery decides.';
grant select on public.draws to anon;
grant select on public.draws to authenticated;
grant select on public.draws to service_role;

create table public.house_balances (
  account_id bigint not null,
  kind public.account_kind not null,
  raffle_id uuid,
  currency character(3) not null,
  balance_cents bigint not null,
  constraint house_balances_pkey PRIMARY KEY (account_id),
  constraint house_balances_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet_accounts(id),
  constraint house_balances_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code)
);
alter table public.house_balances enable row level security;
CREATE INDEX house_balances_currency ON public.house_balances USING btree (currency);
create policy "Operators read house balances" on public.house_balances for select to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
comment on table public.house_balances is 'What house accounts had when they were last rolled up, each minute.';
grant select on public.house_balances to authenticated;
grant select on public.house_balances to service_role;

create table public.jobs (
  name text not null,
  schedule text not null,
  command text not null,
  description text not null,
  last_run_at timestamp with time zone,
  last_result text,
  last_succeeded_at timestamp with time zone,
  failures integer not null default 0,
  next_run_at timestamp with time zone not null default clock_timestamp(),
  last_runid bigint not null default 0,
  constraint jobs_pkey PRIMARY KEY (name),
  constraint jobs_name_check CHECK ((name ~ '^[a-z]+(-[a-z]+)*$'::text))
);
alter table public.jobs enable row level security;
create policy "Operators read jobs" on public.jobs for select to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
comment on table public.jobs is 'Every job: what it does and when, and how it has been getting on. Noted by watch-jobs.';
comment on column public.jobs.schedule is 'As pg_cron reads it, in UTC.';
comment on column public.jobs.last_result is 'succeeded, or what went wrong.';
comment on column public.jobs.failures is 'How often it has failed since it last succeeded.';
comment on column public.jobs.last_runid is 'Up to which row of cron.job_run_details its runs have been looked at.';
grant select on public.jobs to authenticated;
grant select on public.jobs to service_role;

create table public.lotteries (
  id uuid not null default gen_random_uuid(),
  name text not null,
  description text not null default ''::text,
  digits smallint not null,
  draw_days smallint[] not null default '{1,2,3,4,5,6,7}'::smallint[],
  draws_at time without time zone not null default '22:30:00'::time without time zone,
  time_zone text not null default 'America/Bogota'::text,
  results_url text,
  created_at timestamp with time zone not null default now(),
  constraint lotteries_pkey PRIMARY KEY (id),
  constraint lotteries_name_key UNIQUE (name),
  constraint lotteries_digits_check CHECK (((digits >= 2) AND (digits <= 6))),
  constraint lotteries_draw_days_check CHECK ((draw_days <@ '{1,2,3,4,5,6,7}'::smallint[])),
  constraint lotteries_name_check CHECK (app.is_name(name, 100)),
  constraint lotteries_results_url_check CHECK ((results_url ~ '^https?://'::text))
);
alter table public.lotteries enable row level security;
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON public.lotteries FOR EACH ROW EXECUTE FUNCTION app.record_change('id');
create policy "Everyone reads lotteries" on public.lotteries for select to anon, authenticated
  using (true);
comment on table public.lotteries is 'Official lotteries, whose results can decide raffles.';
comment on column public.lotteries.digits is 'Figures of a winning number: 4 means 0000 to 9999.';
comment on column public.lotteries.draw_days is 'Days of the week, from 1, Monday, to 7.';
grant select on public.lotteries to anon;
grant select on public.lotteries to authenticated;
grant select on public.lotteries to service_role;

create table public.lottery_dates (
  lottery_id uuid not null,
  draw_date date not null,
  takes_place boolean not null,
  constraint lottery_dates_pkey PRIMARY KEY (lottery_id, draw_date),
  constraint lottery_dates_lottery_id_fkey FOREIGN KEY (lottery_id) REFERENCES public.lotteries(id)
);
alter table public.lottery_dates enable row level security;
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON public.lottery_dates FOR EACH ROW EXECUTE FUNCTION app.record_change('lottery_id');
create policy "Everyone reads the calendars of lotteries" on public.lottery_dates for select to anon, authenticated
  using (true);
comment on table public.lottery_dates is 'Where the calendar of a lottery differs from its days: a draw more, or one less.';
grant select on public.lottery_dates to anon;
grant select on public.lottery_dates to authenticated;
grant select on public.lottery_dates to service_role;

create table public.lottery_draws (
  raffle_id uuid not null,
  draw_date date not null,
  lottery_id uuid not null,
  winning_number text,
  constraint lottery_draws_pkey PRIMARY KEY (raffle_id, draw_date),
  constraint lottery_draws_lottery_id_fkey FOREIGN KEY (lottery_id) REFERENCES public.lotteries(id),
  constraint lottery_draws_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.draws(raffle_id)
);
alter table public.lottery_draws enable row level security;
CREATE INDEX lottery_draws_lottery ON public.lottery_draws USING btree (lottery_id, draw_date) WHERE (winning_number IS NULL);
create policy "Everyone reads which results decide" on public.lottery_draws for select to anon, authenticated
  using (true);
comment on table public.lottery_draws is 'The official draws that a sealed raffle looks to: that of its terms and, by the rule NEXT_DRAW, further ones for as long as their numbers are unsold.';
grant select on public.lottery_draws to anon;
grant select on public.lottery_draws to authenticated;
grant select on public.lottery_draws to service_role;

create table public.lottery_results (
  lottery_id uuid not null,
  draw_date date not null,
  winning_number text not null,
  series text,
  confirmed_at timestamp with time zone not null default clock_timestamp(),
  constraint lottery_results_pkey PRIMARY KEY (lottery_id, draw_date),
  constraint lottery_results_lottery_id_fkey FOREIGN KEY (lottery_id) REFERENCES public.lotteries(id),
  constraint lottery_results_winning_number_check CHECK ((winning_number ~ '^[0-9]+$'::text))
);
alter table public.lottery_results enable row level security;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.lottery_results FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
create policy "Everyone reads results" on public.lottery_results for select to anon, authenticated
  using (true);
comment on table public.lottery_results is 'Confirmed results, for ever.';
grant select on public.lottery_results to anon;
grant select on public.lottery_results to authenticated;
grant select on public.lottery_results to service_role;

create table public.notifications (
  id uuid not null default app.new_id(),
  outbox_id bigint not null,
  event text not null,
  user_id uuid not null,
  subject_id uuid,
  details jsonb,
  status public.notification_status not null default 'QUEUED'::public.notification_status,
  attempts smallint not null default 0,
  due_at timestamp with time zone default clock_timestamp(),
  failure text,
  happened_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint notifications_pkey PRIMARY KEY (id),
  constraint notifications_once UNIQUE (outbox_id, user_id),
  constraint notifications_due CHECK (((status = 'QUEUED'::public.notification_status) = (due_at IS NOT NULL))),
  constraint notifications_failure_check CHECK ((length(failure) <= 500))
);
alter table public.notifications enable row level security;
CREATE INDEX notifications_dead ON public.notifications USING btree (happened_at) WHERE (status = 'DEAD'::public.notification_status);
CREATE INDEX notifications_due ON public.notifications USING btree (due_at) WHERE (status = 'QUEUED'::public.notification_status);
CREATE INDEX notifications_ended ON public.notifications USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX notifications_user ON public.notifications USING btree (user_id, happened_at DESC);
CREATE TRIGGER enforce_state_change BEFORE UPDATE ON public.notifications FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION app.enforce_state_change();
CREATE TRIGGER record_change AFTER UPDATE ON public.notifications FOR EACH ROW WHEN ((old.status = 'DEAD'::public.notification_status)) EXECUTE FUNCTION app.record_change('id');
create policy "Operators read notifications" on public.notifications for select to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
comment on table public.notifications is 'One message to one person. Its id is the transaction id under which Novu gets it, so that a second sending is not a second message.';
comment on column public.notifications.status is 'SKIPPED: the person does not want it, or is gone. DEAD: given up; operators look at it and may queue it again.';
comment on column public.notifications.due_at is 'Not before; claiming a row moves it to when the next try would be.';
comment on column public.notifications.failure is 'What the last try that failed was answered.';
grant select on public.notifications to authenticated;
grant select on public.notifications to service_role;

create table public.operator_alerts (
  id bigint not null generated always as identity,
  kind text not null,
  subject text not null,
  details jsonb not null default '{}'::jsonb,
  times integer not null default 1,
  created_at timestamp with time zone not null default clock_timestamp(),
  resolved_at timestamp with time zone,
  resolved_by uuid,
  constraint operator_alerts_pkey PRIMARY KEY (id),
  constraint operator_alerts_resolved_by_fkey FOREIGN KEY (resolved_by) REFERENCES public.profiles(id) ON DELETE SET NULL
);
alter table public.operator_alerts enable row level security;
CREATE INDEX operator_alerts_resolved_by ON public.operator_alerts USING btree (resolved_by);
CREATE UNIQUE INDEX operator_alerts_open ON public.operator_alerts USING btree (kind, subject) WHERE (resolved_at IS NULL);
CREATE TRIGGER record_change AFTER UPDATE OF resolved_at ON public.operator_alerts FOR EACH ROW EXECUTE FUNCTION app.record_change('id');
CREATE TRIGGER tell_alert AFTER INSERT ON public.operator_alerts FOR EACH ROW EXECUTE FUNCTION app.tell_alert();
create policy "Operators read alerts" on public.operator_alerts for select to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
comment on table public.operator_alerts is 'One open row for each thing that is wrong, however often it is noticed. Operators read and resolve.';
grant select on public.operator_alerts to authenticated;
grant select on public.operator_alerts to service_role;

create table public.play_limits (
  user_id uuid not null,
  kind public.limit_kind not null,
  period public.limit_period not null,
  currency character(3) not null,
  amount_cents bigint not null,
  pending_amount_cents bigint,
  pending_from timestamp with time zone,
  constraint play_limits_pkey PRIMARY KEY (user_id, kind, period, currency),
  constraint play_limits_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code),
  constraint play_limits_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE,
  constraint play_limits_amount_cents_check CHECK ((amount_cents >= 0)),
  constraint play_limits_check CHECK ((pending_amount_cents > amount_cents)),
  constraint play_limits_pending CHECK (((pending_amount_cents IS NULL) = (pending_from IS NULL)))
);
alter table public.play_limits enable row level security;
CREATE INDEX play_limits_currency ON public.play_limits USING btree (currency);
create policy "Users read their own limits, operators read all" on public.play_limits for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.play_limits is 'A person''s own limits. A pending amount replaces the amount at pending_from.';
grant select on public.play_limits to authenticated;
grant select on public.play_limits to service_role;

create table public.prize_claims (
  raffle_id uuid not null,
  place integer not null,
  user_id uuid not null,
  status public.prize_claim_status not null default 'OFFERED'::public.prize_claim_status,
  claim_until timestamp with time zone not null,
  reminders smallint not null default 0,
  delivery jsonb,
  tracking text,
  created_at timestamp with time zone not null default clock_timestamp(),
  updated_at timestamp with time zone not null default clock_timestamp(),
  sent_by uuid,
  constraint prize_claims_pkey PRIMARY KEY (raffle_id, place),
  constraint prize_claims_raffle_id_place_fkey FOREIGN KEY (raffle_id, place) REFERENCES public.winners(raffle_id, place),
  constraint prize_claims_sent_by_fkey FOREIGN KEY (sent_by) REFERENCES public.profiles(id),
  constraint prize_claims_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id),
  constraint prize_claims_delivery_check CHECK (((jsonb_typeof(delivery) = 'object'::text) AND (length((delivery)::text) <= 4096))),
  constraint prize_claims_tracking_check CHECK (((length(tracking) >= 1) AND (length(tracking) <= 500)))
);
alter table public.prize_claims enable row level security;
CREATE INDEX prize_claims_open ON public.prize_claims USING btree (claim_until) WHERE (status = 'OFFERED'::public.prize_claim_status);
CREATE INDEX prize_claims_sent_by ON public.prize_claims USING btree (sent_by);
CREATE INDEX prize_claims_user ON public.prize_claims USING btree (user_id);
CREATE TRIGGER enforce_state_change BEFORE UPDATE ON public.prize_claims FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION app.enforce_state_change();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.prize_claims FOR EACH ROW EXECUTE FUNCTION app.touch_updated_at();
create policy "Winners read their own claims, operators read all" on public.prize_claims for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.prize_claims is 'One for each place that won the prize itself.';
comment on column public.prize_claims.delivery is 'Where to send it, as the winner wrote it. Hence no audit of this table, which would keep addresses for ever.';
grant select on public.prize_claims to authenticated;
grant select on public.prize_claims to service_role;

create table public.prizes (
  id uuid not null default gen_random_uuid(),
  title text not null,
  description text not null default ''::text,
  value_cents bigint not null,
  currency character(3) not null default 'EUR'::bpchar,
  stock integer not null default 1,
  sponsor jsonb,
  image_urls text[] not null default '{}'::text[],
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint prizes_pkey PRIMARY KEY (id),
  constraint prizes_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code),
  constraint prizes_description_check CHECK ((length(description) <= 10000)),
  constraint prizes_image_urls_check CHECK (((cardinality(image_urls) <= 20) AND app.are_web_addresses(image_urls))),
  constraint prizes_sponsor_check CHECK (((jsonb_typeof(sponsor) = 'object'::text) AND (length((sponsor)::text) <= 4000))),
  constraint prizes_stock_check CHECK ((stock >= 0)),
  constraint prizes_title_check CHECK (app.is_name(title, 200)),
  constraint prizes_value_cents_check CHECK (((value_cents >= 0) AND (value_cents <= '100000000000'::bigint)))
);
alter table public.prizes enable row level security;
CREATE INDEX prizes_currency ON public.prizes USING btree (currency);
CREATE TRIGGER enforce_frozen_prize BEFORE UPDATE ON public.prizes FOR EACH ROW WHEN (((((old.title IS DISTINCT FROM new.title) OR (old.description IS DISTINCT FROM new.description)) OR (old.value_cents IS DISTINCT FROM new.value_cents)) OR (old.currency IS DISTINCT FROM new.currency))) EXECUTE FUNCTION app.enforce_frozen_prize();
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON public.prizes FOR EACH ROW EXECUTE FUNCTION app.record_change('id');
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.prizes FOR EACH ROW EXECUTE FUNCTION app.touch_updated_at();
create policy "Everyone reads prizes" on public.prizes for select to anon, authenticated
  using (true);
create policy "Operators add prizes" on public.prizes for insert to authenticated
  with check (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
create policy "Operators change prizes" on public.prizes for update to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role))
  with check (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
create policy "Operators delete prizes" on public.prizes for delete to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
comment on column public.prizes.stock is 'How many are left to be raffled: publishing a raffle takes one for each winner.';
grant select on public.prizes to anon;
grant delete, select on public.prizes to authenticated;
grant select on public.prizes to service_role;
grant insert (title, description, value_cents, currency, stock, sponsor, image_urls) on public.prizes to authenticated;
grant update (title, description, value_cents, currency, stock, sponsor, image_urls) on public.prizes to authenticated;

create table public.profiles (
  id uuid not null,
  display_name text,
  phone text,
  country character(2),
  birth_date date,
  locale text not null default 'en'::text,
  preferences jsonb not null default '{}'::jsonb,
  kyc_status public.kyc_status not null default 'NONE'::public.kyc_status,
  status public.account_status not null default 'ACTIVE'::public.account_status,
  self_excluded_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  payout_account text,
  constraint profiles_pkey PRIMARY KEY (id),
  constraint profiles_id_fkey FOREIGN KEY (id) REFERENCES auth.users(id) ON DELETE CASCADE,
  constraint profiles_birth_date CHECK ((birth_date >= '1900-01-01'::date)),
  constraint profiles_country CHECK ((country ~ '^[A-Z]{2}$'::text)),
  constraint profiles_display_name CHECK (app.is_name(display_name, 80)),
  constraint profiles_locale CHECK ((locale ~ '^(en|es|it)(-[A-Z]{2})?$'::text)),
  constraint profiles_payout_account CHECK ((payout_account ~ '^acct_[A-Za-z0-9]{1,64}$'::text)),
  constraint profiles_phone CHECK ((phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
  constraint profiles_preferences CHECK (((jsonb_typeof(preferences) = 'object'::text) AND (length((preferences)::text) <= 8192) AND (NOT (preferences @? 'strict $."channels".keyvalue()."value"?(@.type() != "boolean")'::jsonpath))))
);
alter table public.profiles enable row level security;
CREATE TRIGGER enforce_birth_date_lock BEFORE UPDATE OF birth_date ON public.profiles FOR EACH ROW EXECUTE FUNCTION app.enforce_birth_date_lock();
CREATE TRIGGER record_change AFTER UPDATE ON public.profiles FOR EACH ROW WHEN ((auth.uid() IS DISTINCT FROM new.id)) EXECUTE FUNCTION app.record_change('id');
CREATE TRIGGER tell_subscriber AFTER INSERT ON public.profiles FOR EACH ROW EXECUTE FUNCTION app.tell_subscriber_changed();
CREATE TRIGGER tell_subscriber_changed AFTER UPDATE ON public.profiles FOR EACH ROW WHEN ((((old.display_name IS DISTINCT FROM new.display_name) OR (old.phone IS DISTINCT FROM new.phone)) OR (old.locale IS DISTINCT FROM new.locale))) EXECUTE FUNCTION app.tell_subscriber_changed();
CREATE TRIGGER tell_subscriber_deleted AFTER DELETE ON public.profiles FOR EACH ROW EXECUTE FUNCTION app.tell_subscriber_deleted();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.profiles FOR EACH ROW EXECUTE FUNCTION app.touch_updated_at();
create policy "Users change their own profile, operators change all" on public.profiles for update to authenticated
  using (((id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)))
  with check (((id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
create policy "Users read their own profile, operators read all" on public.profiles for select to authenticated
  using (((id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.profiles is 'One row for each user, made when the user signs up.';
comment on column public.profiles.phone is 'E.164, for example +34600111222.';
comment on column public.profiles.birth_date is 'Unknown counts as a minor. Once set, only operators change it.';
comment on column public.profiles.locale is 'A language we speak, perhaps with a country: es or es-CO.';
comment on column public.profiles.preferences is 'Free-form; known keys: channels, marketing.';
comment on column public.profiles.self_excluded_until is 'No play before this moment. It can be moved later, never earlier.';
comment on column public.profiles.payout_account is 'The Stripe account that withdrawals go to. Set by operators.';
grant select on public.profiles to authenticated;
grant select on public.profiles to service_role;
grant update (display_name, phone, country, birth_date, locale, preferences) on public.profiles to authenticated;

create table public.purchases (
  id uuid not null default app.new_id(),
  user_id uuid not null,
  raffle_id uuid not null,
  type public.purchase_type not null,
  status public.purchase_status not null,
  quantity app.ticket_quantity not null,
  amount_cents app.amount not null,
  currency character(3) not null,
  payment_method public.payment_method not null,
  redeem boolean not null,
  redeemed boolean not null default false,
  ticket_id bigint,
  numbers integer[],
  provider_txn_id text,
  livemode boolean,
  failure_code text,
  attempt smallint not null default 0,
  expires_at timestamp with time zone,
  check_at timestamp with time zone,
  checks smallint not null default 0,
  created_at timestamp with time zone not null default clock_timestamp(),
  confirmed_at timestamp with time zone,
  constraint purchases_pkey PRIMARY KEY (id)
) with (fillfactor=80);
alter table public.purchases enable row level security;
CREATE INDEX purchases_boosts ON public.purchases USING btree (ticket_id) WHERE (type = 'BOOST'::public.purchase_type);
CREATE INDEX purchases_check ON public.purchases USING btree (check_at) WHERE (check_at IS NOT NULL);
CREATE INDEX purchases_expiry ON public.purchases USING btree (expires_at) WHERE (status = 'PENDING'::public.purchase_status);
CREATE INDEX purchases_raffle ON public.purchases USING btree (raffle_id, id);
CREATE INDEX purchases_user ON public.purchases USING btree (user_id, created_at DESC);
CREATE UNIQUE INDEX purchases_provider ON public.purchases USING btree (provider_txn_id) WHERE (provider_txn_id IS NOT NULL);
CREATE UNIQUE INDEX purchases_retry_once ON public.purchases USING btree (ticket_id) WHERE ((type = 'RETRY'::public.purchase_type) AND (status = ANY (ARRAY['PENDING'::public.purchase_status, 'CONFIRMED'::public.purchase_status])));
CREATE TRIGGER enforce_state_change BEFORE UPDATE ON public.purchases FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION app.enforce_state_change();
create policy "Users read their own purchases, operators read all" on public.purchases for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.purchases is 'user_id, raffle_id and currency refer without foreign keys: those would lock rows for each purchase. Every buyer has a wallet, and that refers to the person.';
comment on column public.purchases.redeem is 'Whether tickets are issued as soon as it is paid.';
comment on column public.purchases.ticket_id is 'The ticket that a boost or a retry refers to.';
comment on column public.purchases.numbers is 'What was chosen in a PICK raffle, while a card is to pay for it: money that comes late buys these or nothing.';
comment on column public.purchases.provider_txn_id is 'The PaymentIntent of a card purchase.';
grant select on public.purchases to authenticated;
grant select on public.purchases to service_role;

create table public.raffle_categories (
  id uuid not null default gen_random_uuid(),
  name text not null,
  color text not null default '#888888'::text,
  ticket_price_cents bigint not null,
  currency character(3) not null default 'EUR'::bpchar,
  rake_bps integer not null default 0,
  prize_fund_cents bigint,
  prize_per_winner_cents bigint,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint raffle_categories_pkey PRIMARY KEY (id),
  constraint raffle_categories_name_key UNIQUE (name),
  constraint raffle_categories_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code),
  constraint raffle_categories_color_check CHECK ((color ~ '^#[0-9a-fA-F]{6}$'::text)),
  constraint raffle_categories_name_check CHECK (app.is_name(name, 100)),
  constraint raffle_categories_prize_fund_cents_check CHECK (((prize_fund_cents >= 0) AND (prize_fund_cents <= '9007199254740991'::bigint))),
  constraint raffle_categories_prize_per_winner_cents_check CHECK (((prize_per_winner_cents >= 1) AND (prize_per_winner_cents <= '100000000000'::bigint))),
  constraint raffle_categories_rake_bps_check CHECK (((rake_bps >= 0) AND (rake_bps <= 10000))),
  constraint raffle_categories_ticket_price_cents_check CHECK (((ticket_price_cents >= 1) AND (ticket_price_cents <= '100000000000'::bigint)))
);
alter table public.raffle_categories enable row level security;
CREATE INDEX raffle_categories_currency ON public.raffle_categories USING btree (currency);
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON public.raffle_categories FOR EACH ROW EXECUTE FUNCTION app.record_change('id');
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.raffle_categories FOR EACH ROW EXECUTE FUNCTION app.touch_updated_at();
create policy "Everyone reads categories" on public.raffle_categories for select to anon, authenticated
  using (true);
create policy "Operators add categories" on public.raffle_categories for insert to authenticated
  with check (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
create policy "Operators change categories" on public.raffle_categories for update to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role))
  with check (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
create policy "Operators delete categories" on public.raffle_categories for delete to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
comment on table public.raffle_categories is 'Terms that many raffles share. A raffle takes them over when it is published.';
comment on column public.raffle_categories.rake_bps is 'Of what a full raffle brings in, the house''s part in hundredths of a percent, rounded down: what does not divide goes to the prize fund.';
comment on column public.raffle_categories.prize_fund_cents is 'Fixes the fund instead; the rake is then the rest.';
grant select on public.raffle_categories to anon;
grant delete, select on public.raffle_categories to authenticated;
grant select on public.raffle_categories to service_role;
grant insert (name, color, ticket_price_cents, currency, rake_bps, prize_fund_cents, prize_per_winner_cents) on public.raffle_categories to authenticated;
grant update (name, color, ticket_price_cents, currency, rake_bps, prize_fund_cents, prize_per_winner_cents) on public.raffle_categories to authenticated;

create table public.raffle_progress (
  raffle_id uuid not null,
  state public.raffle_state not null,
  tickets_sold integer not null,
  updated_at timestamp with time zone not null default clock_timestamp(),
  constraint raffle_progress_pkey PRIMARY KEY (raffle_id),
  constraint raffle_progress_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.raffles(id) ON DELETE CASCADE
);
alter table public.raffle_progress enable row level security;
create policy "Everyone reads how far raffles are" on public.raffle_progress for select to anon, authenticated
  using (true);
comment on table public.raffle_progress is 'How far each published raffle is, at most a few seconds old. Made for Supabase Realtime.';
grant select on public.raffle_progress to anon;
grant select on public.raffle_progress to authenticated;
grant select on public.raffle_progress to service_role;

create table public.raffles (
  id uuid not null default gen_random_uuid(),
  state public.raffle_state not null default 'DRAFT'::public.raffle_state,
  prize_id uuid not null,
  category_id uuid,
  title text,
  description text,
  ticket_price_cents bigint not null,
  currency character(3) not null default 'EUR'::bpchar,
  tickets_required integer not null,
  min_tickets integer not null default 1,
  max_per_user integer,
  numbering public.numbering not null default 'SEQUENTIAL'::public.numbering,
  winners_count integer not null default 1,
  prize_tiers jsonb not null default '[]'::jsonb,
  draw_method public.draw_method not null default 'BEACON'::public.draw_method,
  lottery_id uuid,
  lottery_draw_date date,
  unsold_rule public.unsold_rule,
  opens_at timestamp with time zone not null default now(),
  closes_at timestamp with time zone not null,
  lanes integer,
  boost_price_cents bigint,
  boost_limit integer,
  retry_of uuid,
  retry_price_cents bigint,
  rake_cents bigint not null default 0,
  prize_fund_cents bigint not null default 0,
  prize_per_winner_cents bigint,
  prizes_taken integer not null default 0,
  published_at timestamp with time zone,
  cancelled_at timestamp with time zone,
  cancel_reason text,
  cancel_code text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint raffles_pkey PRIMARY KEY (id),
  constraint raffles_category_id_fkey FOREIGN KEY (category_id) REFERENCES public.raffle_categories(id),
  constraint raffles_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code),
  constraint raffles_lottery_id_fkey FOREIGN KEY (lottery_id) REFERENCES public.lotteries(id),
  constraint raffles_prize_id_fkey FOREIGN KEY (prize_id) REFERENCES public.prizes(id),
  constraint raffles_retry_of_fkey FOREIGN KEY (retry_of) REFERENCES public.raffles(id),
  constraint raffles_boost_price_cents_check CHECK ((boost_price_cents <= '100000000000'::bigint)),
  constraint raffles_description_check CHECK ((length(description) <= 10000)),
  constraint raffles_gross CHECK (((published_at IS NULL) OR ((rake_cents + prize_fund_cents) = (ticket_price_cents * tickets_required)))),
  constraint raffles_published CHECK ((((state = 'DRAFT'::public.raffle_state) = (published_at IS NULL)) OR (state = 'CANCELLED'::public.raffle_state))),
  constraint raffles_retry_price_cents_check CHECK ((retry_price_cents <= '100000000000'::bigint)),
  constraint raffles_ticket_price_cents_check CHECK ((ticket_price_cents <= '100000000000'::bigint)),
  constraint raffles_title_check CHECK (app.is_name(title, 200))
);
alter table public.raffles enable row level security;
CREATE INDEX raffles_category ON public.raffles USING btree (category_id);
CREATE INDEX raffles_currency ON public.raffles USING btree (currency);
CREATE INDEX raffles_lottery ON public.raffles USING btree (lottery_id);
CREATE INDEX raffles_newest ON public.raffles USING btree (published_at DESC, id);
CREATE INDEX raffles_prize ON public.raffles USING btree (prize_id);
CREATE INDEX raffles_retry_of ON public.raffles USING btree (retry_of);
CREATE INDEX raffles_state ON public.raffles USING btree (state, closes_at);
CREATE TRIGGER enforce_frozen_terms BEFORE UPDATE ON public.raffles FOR EACH ROW WHEN (((old.published_at IS NOT NULL) AND (((((((((((((((((((((((((old.prize_id IS DISTINCT FROM new.prize_id) OR (old.category_id IS DISTINCT FROM new.category_id)) OR (old.ticket_price_cents IS DISTINCT FROM new.ticket_price_cents)) OR (old.currency IS DISTINCT FROM new.currency)) OR (old.tickets_required IS DISTINCT FROM new.tickets_required)) OR (old.min_tickets IS DISTINCT FROM new.min_tickets)) OR (old.max_per_user IS DISTINCT FROM new.max_per_user)) OR (old.numbering IS DISTINCT FROM new.numbering)) OR (old.winners_count IS DISTINCT FROM new.winners_count)) OR (old.prize_tiers IS DISTINCT FROM new.prize_tiers)) OR (old.draw_method IS DISTINCT FROM new.draw_method)) OR (old.lottery_id IS DISTINCT FROM new.lottery_id)) OR (old.lottery_draw_date IS DISTINCT FROM new.lottery_draw_date)) OR (old.unsold_rule IS DISTINCT FROM new.unsold_rule)) OR (old.opens_at IS DISTINCT FROM new.opens_at)) OR (old.closes_at IS DISTINCT FROM new.closes_at)) OR (old.lanes IS DISTINCT FROM new.lanes)) OR (old.boost_price_cents IS DISTINCT FROM new.boost_price_cents)) OR (old.boost_limit IS DISTINCT FROM new.boost_limit)) OR (old.retry_of IS DISTINCT FROM new.retry_of)) OR (old.retry_price_cents IS DISTINCT FROM new.retry_price_cents)) OR (old.rake_cents IS DISTINCT FROM new.rake_cents)) OR (old.prize_fund_cents IS DISTINCT FROM new.prize_fund_cents)) OR (old.prize_per_winner_cents IS DISTINCT FROM new.prize_per_winner_cents)) OR (old.published_at IS DISTINCT FROM new.published_at)))) EXECUTE FUNCTION app.enforce_frozen_terms();
CREATE TRIGGER enforce_state_change BEFORE UPDATE ON public.raffles FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION app.enforce_state_change('state');
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON public.raffles FOR EACH ROW EXECUTE FUNCTION app.record_change('id');
CREATE TRIGGER refuse_deletion BEFORE DELETE ON public.raffles FOR EACH ROW WHEN ((old.published_at IS NOT NULL)) EXECUTE FUNCTION app.refuse_deletion();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON public.raffles FOR EACH ROW EXECUTE FUNCTION app.touch_updated_at();
create policy "Everyone reads published raffles" on public.raffles for select to anon
  using ((published_at IS NOT NULL));
create policy "Everyone reads published raffles, operators drafts too" on public.raffles for select to authenticated
  using (((published_at IS NOT NULL) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
create policy "Operators add raffles" on public.raffles for insert to authenticated
  with check (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
create policy "Operators change raffles" on public.raffles for update to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role))
  with check (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
create policy "Operators delete drafts" on public.raffles for delete to authenticated
  using (( SELECT app.has_role('operator'::public.staff_role) AS has_role));
comment on table public.raffles is 'DRAFT until published. Terms are checked then, and fixed from the first sale on.';
comment on column public.raffles.prize_tiers is 'Money for places: [{"place":1,"amount_cents":50000}]; for lotteries also [{"figures":3,"amount_cents":1000}].';
comment on column public.raffles.lanes is 'How many buyers are served side by side; by size unless set. One lane: consecutive numbers.';
comment on column public.raffles.rake_cents is 'What the house keeps of a full raffle; with the prize fund it is all that comes in.';
comment on column public.raffles.prizes_taken is 'How many of the prize it took from stock, and gives back if cancelled.';
grant select on public.raffles to anon;
grant delete, select on public.raffles to authenticated;
grant select on public.raffles to service_role;
grant insert (prize_id, category_id, title, description, ticket_price_cents, currency, tickets_required, min_tickets, max_per_user, numbering, winners_count, prize_tiers, draw_method, lottery_id, lottery_draw_date, unsold_rule, opens_at, closes_at, lanes, boost_price_cents, boost_limit, retry_of, retry_price_cents) on public.raffles to authenticated;
grant update (prize_id, category_id, title, description, ticket_price_cents, currency, tickets_required, min_tickets, max_per_user, numbering, winners_count, prize_tiers, draw_method, lottery_id, lottery_draw_date, unsold_rule, opens_at, closes_at, lanes, boost_price_cents, boost_limit, retry_of, retry_price_cents) on public.raffles to authenticated;

create table public.tickets (
  id bigint not null generated always as identity,
  raffle_id uuid not null,
  ticket_num integer not null,
  user_id uuid not null,
  purchase_id uuid not null,
  created_at timestamp with time zone not null default clock_timestamp(),
  voided_at timestamp with time zone,
  constraint tickets_pkey PRIMARY KEY (raffle_id, ticket_num)
);
alter table public.tickets enable row level security;
CREATE INDEX tickets_user ON public.tickets USING btree (user_id, purchase_id);
CREATE TRIGGER enforce_issued_ticket BEFORE UPDATE ON public.tickets FOR EACH ROW WHEN ((((((((old.id IS DISTINCT FROM new.id) OR (old.raffle_id IS DISTINCT FROM new.raffle_id)) OR (old.ticket_num IS DISTINCT FROM new.ticket_num)) OR (old.user_id IS DISTINCT FROM new.user_id)) OR (old.purchase_id IS DISTINCT FROM new.purchase_id)) OR (old.created_at IS DISTINCT FROM new.created_at)) OR (old.voided_at IS NOT NULL))) EXECUTE FUNCTION app.enforce_issued_ticket();
CREATE TRIGGER refuse_deletion BEFORE DELETE OR TRUNCATE ON public.tickets FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
create policy "Users read their own tickets, operators read all" on public.tickets for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
grant select on public.tickets to authenticated;
grant select on public.tickets to service_role;

create table public.user_roles (
  user_id uuid not null,
  role public.staff_role not null,
  granted_at timestamp with time zone not null default now(),
  constraint user_roles_pkey PRIMARY KEY (user_id, role),
  constraint user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE
);
alter table public.user_roles enable row level security;
CREATE TRIGGER record_change AFTER INSERT OR DELETE OR UPDATE ON public.user_roles FOR EACH ROW EXECUTE FUNCTION app.record_change('user_id');
create policy "Users read their own roles, operators read all" on public.user_roles for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.user_roles is 'Who works here. Everybody is a player; an admin may do all that an operator may. Roles are never read from a token, so that taking one away works at once.';
grant select on public.user_roles to authenticated;
grant select on public.user_roles to service_role;

create table public.wallet_accounts (
  id bigint not null generated always as identity,
  kind public.account_kind not null,
  user_id uuid,
  raffle_id uuid,
  currency character(3) not null,
  balance_cents bigint,
  held_cents app.cents,
  debt_cents app.cents,
  suspended_reason app.note,
  status public.wallet_status not null default 'ACTIVE'::public.wallet_status,
  created_at timestamp with time zone not null default now(),
  constraint wallet_accounts_pkey PRIMARY KEY (id),
  constraint wallet_accounts_once UNIQUE NULLS NOT DISTINCT (user_id, raffle_id, currency, kind),
  constraint wallet_accounts_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code),
  constraint wallet_accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id),
  constraint wallet_accounts_balance CHECK ((balance_cents >= (held_cents)::bigint))
) with (fillfactor=50);
alter table public.wallet_accounts enable row level security;
CREATE INDEX wallet_accounts_currency ON public.wallet_accounts USING btree (currency);
CREATE INDEX wallet_accounts_house ON public.wallet_accounts USING btree (id) WHERE (kind <> 'USER'::public.account_kind);
CREATE INDEX wallet_accounts_raffle ON public.wallet_accounts USING btree (raffle_id) WHERE (raffle_id IS NOT NULL);
CREATE TRIGGER record_change AFTER UPDATE OF suspended_reason ON public.wallet_accounts FOR EACH ROW EXECUTE FUNCTION app.record_change('id');
CREATE TRIGGER shape_account AFTER INSERT OR UPDATE OF kind, user_id, raffle_id, debt_cents, suspended_reason ON public.wallet_accounts FOR EACH ROW EXECUTE FUNCTION app.shape_account();
create policy "Users read their own wallets, operators read all accounts" on public.wallet_accounts for select to authenticated
  using ((((user_id = ( SELECT auth.uid() AS uid)) AND (kind = 'USER'::public.account_kind)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.wallet_accounts is 'One account for each user and currency, made on first use, and the accounts of the house.';
comment on column public.wallet_accounts.balance_cents is 'Cached sum of the entries; only users'' accounts have one.';
comment on column public.wallet_accounts.held_cents is 'Of the balance, what active holds keep from being spent.';
comment on column public.wallet_accounts.debt_cents is 'What the person owes: money that Stripe took back after it was spent. Collected from whatever comes in.';
comment on column public.wallet_accounts.status is 'Suspended by an operator, or by a debt: no debit.';
grant select on public.wallet_accounts to authenticated;
grant select on public.wallet_accounts to service_role;

create view public.wallet_balances with (security_invoker=true) as\n SELECT a.user_id,
    a.id AS account_id,
    a.currency,
    a.status,
    COALESCE(l.balance_cents, (0)::bigint) AS balance_cents,
    COALESCE(h.held_cents, (0)::bigint) AS held_cents,
    (COALESCE(l.balance_cents, (0)::bigint) - COALESCE(h.held_cents, (0)::bigint)) AS available_cents
   FROM ((public.wallet_accounts a
     LEFT JOIN LATERAL ( SELECT (sum(
                CASE wallet_ledger.direction
                    WHEN 'CREDIT'::public.entry_direction THEN (wallet_ledger.amount_cents)::bigint
                    ELSE (- (wallet_ledger.amount_cents)::bigint)
                END))::bigint AS balance_cents
           FROM public.wallet_ledger
          WHERE ((wallet_ledger.user_id = a.user_id) AND (wallet_ledger.account_id = a.id))) l ON (true))
     LEFT JOIN LATERAL ( SELECT (sum(wallet_holds.amount_cents))::bigint AS held_cents
           FROM public.wallet_holds
          WHERE ((wallet_holds.account_id = a.id) AND (wallet_holds.status = 'ACTIVE'::public.hold_status))) h ON (true))
  WHERE (a.kind = 'USER'::public.account_kind);
CREATE TRIGGER refuse_change INSTEAD OF INSERT OR DELETE OR UPDATE ON public.wallet_balances FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
comment on view public.wallet_balances is 'Each wallet''s balance, added up from the ledger and the holds; it always equals what the account caches.';
grant select on public.wallet_balances to authenticated;
grant select on public.wallet_balances to service_role;

create table public.wallet_holds (
  id bigint not null generated always as identity,
  account_id bigint not null,
  user_id uuid not null,
  amount_cents bigint not null,
  reason public.ledger_reason not null,
  status public.hold_status not null default 'ACTIVE'::public.hold_status,
  expires_at timestamp with time zone,
  created_at timestamp with time zone not null default clock_timestamp(),
  resolved_at timestamp with time zone,
  constraint wallet_holds_pkey PRIMARY KEY (id),
  constraint wallet_holds_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet_accounts(id),
  constraint wallet_holds_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id),
  constraint wallet_holds_amount_cents_check CHECK ((amount_cents > 0)),
  constraint wallet_holds_resolved CHECK (((status = 'ACTIVE'::public.hold_status) = (resolved_at IS NULL)))
);
alter table public.wallet_holds enable row level security;
CREATE INDEX wallet_holds_account ON public.wallet_holds USING btree (account_id);
CREATE INDEX wallet_holds_active ON public.wallet_holds USING btree (account_id) WHERE (status = 'ACTIVE'::public.hold_status);
CREATE INDEX wallet_holds_expiry ON public.wallet_holds USING btree (expires_at) WHERE (status = 'ACTIVE'::public.hold_status);
CREATE INDEX wallet_holds_user ON public.wallet_holds USING btree (user_id);
CREATE TRIGGER enforce_state_change BEFORE UPDATE ON public.wallet_holds FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION app.enforce_state_change();
create policy "Users read their own holds, operators read all" on public.wallet_holds for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.wallet_holds is 'Money that is promised elsewhere: still in the balance, no longer to be spent. Each ends once.';
comment on column public.wallet_holds.expires_at is 'Null: only its outcome ends it.';
grant select on public.wallet_holds to authenticated;
grant select on public.wallet_holds to service_role;

create table public.wallet_ledger (
  id bigint not null generated always as identity,
  transaction_id bigint not null,
  account_id bigint not null,
  user_id uuid,
  direction public.entry_direction not null,
  amount_cents app.amount not null,
  currency character(3) not null,
  reason public.ledger_reason not null,
  topup_id uuid,
  withdrawal_id uuid,
  purchase_id uuid,
  raffle_id uuid,
  external_id text,
  note app.note,
  reverses_id bigint,
  status public.entry_status not null default 'POSTED'::public.entry_status,
  created_at timestamp with time zone not null default clock_timestamp(),
  constraint wallet_ledger_pkey PRIMARY KEY (account_id, id)
);
alter table public.wallet_ledger enable row level security;
CREATE INDEX wallet_ledger_statement ON public.wallet_ledger USING btree (user_id, id DESC) WHERE (user_id IS NOT NULL);
CREATE INDEX wallet_ledger_transaction ON public.wallet_ledger USING btree (transaction_id) WHERE (reason <> 'TICKET_PURCHASE'::public.ledger_reason);
CREATE UNIQUE INDEX wallet_ledger_reversed_once ON public.wallet_ledger USING btree (reverses_id) WHERE (reverses_id IS NOT NULL);
CREATE UNIQUE INDEX wallet_ledger_topup_once ON public.wallet_ledger USING btree (topup_id) WHERE ((reason = 'TOPUP'::public.ledger_reason) AND (user_id IS NOT NULL) AND (reverses_id IS NULL));
CREATE UNIQUE INDEX wallet_ledger_withdrawal_once ON public.wallet_ledger USING btree (withdrawal_id) WHERE ((reason = 'WITHDRAWAL'::public.ledger_reason) AND (user_id IS NOT NULL) AND (reverses_id IS NULL));
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.wallet_ledger FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
create policy "Users read their own entries, operators read all" on public.wallet_ledger for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.wallet_ledger is 'Every movement of money, for ever. Written by app.post_transaction(), and for many at once by app.post_payouts() and app.settle_wallet_purchase(). It refers without foreign keys: each entry would lock the rows that it names, and so everybody the house accounts. app.check_invariants() checks them instead.';
comment on column public.wallet_ledger.user_id is 'Whose wallet it is; null for accounts of the house and for debts.';
comment on column public.wallet_ledger.external_id is 'What Stripe calls it.';
comment on column public.wallet_ledger.reverses_id is 'The entry that this one takes back; each can be taken back once.';
grant select on public.wallet_ledger to authenticated;
grant select on public.wallet_ledger to service_role;

create table public.wallet_topups (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  account_id bigint not null,
  amount_cents bigint not null,
  currency character(3) not null,
  method public.payment_form not null,
  status public.payment_status not null default 'CREATED'::public.payment_status,
  provider text not null default 'stripe'::text,
  provider_txn_id text,
  intent_id text,
  livemode boolean,
  failure_code text,
  attempt smallint not null default 0,
  check_at timestamp with time zone,
  checks smallint not null default 0,
  created_at timestamp with time zone not null default clock_timestamp(),
  completed_at timestamp with time zone,
  constraint wallet_topups_pkey PRIMARY KEY (id),
  constraint wallet_topups_intent_id_key UNIQUE (intent_id),
  constraint wallet_topups_provider_txn_id_key UNIQUE (provider_txn_id),
  constraint wallet_topups_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet_accounts(id),
  constraint wallet_topups_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code),
  constraint wallet_topups_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id),
  constraint wallet_topups_amount_cents_check CHECK ((amount_cents > 0)),
  constraint wallet_topups_completed CHECK ((((status = 'COMPLETED'::public.payment_status) = (completed_at IS NOT NULL)) AND ((status <> 'COMPLETED'::public.payment_status) OR (intent_id IS NOT NULL)))),
  constraint wallet_topups_processing CHECK (((status <> 'PROCESSING'::public.payment_status) OR (provider_txn_id IS NOT NULL)))
);
alter table public.wallet_topups enable row level security;
CREATE INDEX wallet_topups_account ON public.wallet_topups USING btree (account_id);
CREATE INDEX wallet_topups_check ON public.wallet_topups USING btree (check_at) WHERE (check_at IS NOT NULL);
CREATE INDEX wallet_topups_currency ON public.wallet_topups USING btree (currency);
CREATE INDEX wallet_topups_user ON public.wallet_topups USING btree (user_id, created_at DESC, id);
CREATE TRIGGER enforce_state_change BEFORE UPDATE ON public.wallet_topups FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION app.enforce_state_change();
create policy "Users read their own top-ups, operators read all" on public.wallet_topups for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.wallet_topups is 'CREATED: Stripe may have been asked. PROCESSING: Stripe waits for the customer. The rest are ends; money that arrives after a failure or a cancellation completes the top-up all the same.';
comment on column public.wallet_topups.provider_txn_id is 'The Checkout session or the PaymentIntent that we asked for.';
comment on column public.wallet_topups.intent_id is 'The PaymentIntent; for a session, once somebody has tried to pay.';
comment on column public.wallet_topups.attempt is 'Counts what Stripe refused: each further try has an idempotency key of its own.';
comment on column public.wallet_topups.check_at is 'When the sweeper asks Stripe about it next; null once there is nothing to ask.';
grant select on public.wallet_topups to authenticated;
grant select on public.wallet_topups to service_role;

create table public.wallet_withdrawals (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null,
  account_id bigint not null,
  hold_id bigint not null,
  amount_cents bigint not null,
  currency character(3) not null,
  status public.payment_status not null default 'CREATED'::public.payment_status,
  provider text not null default 'stripe'::text,
  destination text not null,
  transfer_id text,
  provider_txn_id text,
  livemode boolean,
  payout_claimed_at timestamp with time zone,
  transfer_booked_at timestamp with time zone,
  transfer_reversed_at timestamp with time zone,
  capture_id bigint,
  failure_code text,
  check_at timestamp with time zone,
  checks smallint not null default 0,
  created_at timestamp with time zone not null default clock_timestamp(),
  completed_at timestamp with time zone,
  failed_at timestamp with time zone,
  constraint wallet_withdrawals_pkey PRIMARY KEY (id),
  constraint wallet_withdrawals_hold_id_key UNIQUE (hold_id),
  constraint wallet_withdrawals_provider_txn_id_key UNIQUE (provider_txn_id),
  constraint wallet_withdrawals_transfer_id_key UNIQUE (transfer_id),
  constraint wallet_withdrawals_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.wallet_accounts(id),
  constraint wallet_withdrawals_currency_fkey FOREIGN KEY (currency) REFERENCES public.currencies(code),
  constraint wallet_withdrawals_hold_id_fkey FOREIGN KEY (hold_id) REFERENCES public.wallet_holds(id),
  constraint wallet_withdrawals_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id),
  constraint wallet_withdrawals_amount_cents_check CHECK ((amount_cents > 0))
);
alter table public.wallet_withdrawals enable row level security;
CREATE INDEX wallet_withdrawals_account ON public.wallet_withdrawals USING btree (account_id);
CREATE INDEX wallet_withdrawals_check ON public.wallet_withdrawals USING btree (check_at) WHERE (check_at IS NOT NULL);
CREATE INDEX wallet_withdrawals_currency ON public.wallet_withdrawals USING btree (currency);
CREATE INDEX wallet_withdrawals_user ON public.wallet_withdrawals USING btree (user_id, created_at DESC, id);
CREATE TRIGGER enforce_state_change BEFORE UPDATE ON public.wallet_withdrawals FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION app.enforce_state_change();
create policy "Users read their own withdrawals, operators read all" on public.wallet_withdrawals for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT app.has_role('operator'::public.staff_role) AS has_role)));
comment on table public.wallet_withdrawals is 'CREATED: nothing has been sent. PROCESSING: it may have been. COMPLETED: the bank has it; a bank may still send it back, and then the withdrawal is FAILED and the money in the wallet again.';
comment on column public.wallet_withdrawals.destination is 'The connected account, as it was when the withdrawal was made.';
comment on column public.wallet_withdrawals.provider_txn_id is 'The payout.';
comment on column public.wallet_withdrawals.payout_claimed_at is 'Since then the payout may have been asked for.';
comment on column public.wallet_withdrawals.capture_id is 'The ledger transaction that took the money from the wallet.';
comment on column public.wallet_withdrawals.check_at is 'When the sweeper looks at it next; null once there is nothing to do.';
grant select on public.wallet_withdrawals to authenticated;
grant select on public.wallet_withdrawals to service_role;

create table public.winners (
  raffle_id uuid not null,
  place integer not null,
  ticket_num integer not null,
  display_name text,
  amount_cents bigint,
  figures smallint,
  drawn_at timestamp with time zone not null default clock_timestamp(),
  constraint winners_pkey PRIMARY KEY (raffle_id, place),
  constraint winners_raffle_id_ticket_num_key UNIQUE (raffle_id, ticket_num),
  constraint winners_raffle_id_fkey FOREIGN KEY (raffle_id) REFERENCES public.draws(raffle_id),
  constraint winners_raffle_id_ticket_num_fkey FOREIGN KEY (raffle_id, ticket_num) REFERENCES public.tickets(raffle_id, ticket_num),
  constraint winners_amount_cents_check CHECK ((amount_cents > 0)),
  constraint winners_place_check CHECK ((place > 0))
);
alter table public.winners enable row level security;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.winners FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
create policy "Everyone reads winners" on public.winners for select to anon, authenticated
  using (true);
comment on table public.winners is 'Who won, by the name they show. Places beyond winners_count took over a prize that nobody claimed.';
comment on column public.winners.amount_cents is 'What the place is paid in money; null where the prize itself is won.';
comment on column public.winners.figures is 'How many last figures won it, where a lottery decides; null for the whole number.';
grant select on public.winners to anon;
grant select on public.winners to authenticated;
grant select on public.winners to service_role;


-- Functions -------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION app.account_of(p_kind public.account_kind, p_currency text, p_user_id uuid DEFAULT NULL::uuid, p_raffle_id uuid DEFAULT NULL::uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_id bigint := app.find_account(p_kind, p_currency, p_user_id, p_raffle_id);
  v_cache bigint := case when p_kind = 'USER' then 0 end;
begin
  if v_id is null then
    -- A suspension waits for this account to be there, or this account for the suspension.
    if p_kind = 'USER' then
      perform from public.profiles where id = p_user_id for share;
    end if;
    insert into public.wallet_accounts (kind, user_id, raffle_id, currency, balance_cents, held_cents, debt_cents, suspended_reason)
    select p_kind, p_user_id, p_raffle_id, p_currency, v_cache, v_cache, v_cache, case when p_kind = 'USER' then (
      select max(suspended_reason) from public.wallet_accounts where user_id = p_user_id) end
    on conflict on constraint wallet_accounts_once do nothing;
    v_id := app.find_account(p_kind, p_currency, p_user_id, p_raffle_id);
  end if;
  return v_id;
end
$function$;

CREATE OR REPLACE FUNCTION app.active_user()
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_status public.account_status;
begin
  select status into v_status from public.profiles where id = v_user_id for share;
  if v_status <> 'ACTIVE' then
    perform app.fail('account_suspended');
  end if;
  if not exists (select from auth.users where id = v_user_id and email_confirmed_at is not null) then
    perform app.fail('email_unverified');
  end if;
  return v_user_id;
end
$function$;

CREATE OR REPLACE FUNCTION app.actor_kind()
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select case
    when auth.uid() is null then coalesce(nullif(current_setting('role', true), 'none'), session_user::text)
    when app.has_role('admin') then 'admin'
    when app.has_role('operator') then 'operator'
    else 'player'
  end
$function$;

CREATE OR REPLACE FUNCTION app.adjust_wallet(p_user_id uuid, p_currency text, p_amount_cents bigint, p_note text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_account_id bigint;
  v_transaction_id bigint;
begin
  perform app.require_power_over(p_user_id, 'admin');
  perform app.require_currency(p_currency);
  perform app.require_note('note', p_note);
  if coalesce(p_amount_cents, 0) = 0 or abs(p_amount_cents) > 100000000000 then
    perform app.fail_field('amount_cents', 'must not be zero, nor beyond 100000000000');
  end if;
  v_account_id := app.account_of('USER', p_currency, p_user_id);
  v_transaction_id := app.post_transaction('ADJUSTMENT', array[
    (v_account_id, p_amount_cents), (app.account_of('ADJUSTMENT', p_currency), -p_amount_cents)
  ]::app.posting[], p_note => btrim(p_note));
  insert into public.audit_log (actor_id, actor_kind, action, subject_table, subject_id, after)
  values (auth.uid(), app.actor_kind(), 'adjust', 'wallet_accounts', v_account_id, jsonb_build_object(
    'amount_cents', p_amount_cents, 'note', btrim(p_note), 'transaction_id', v_transaction_id));
  return jsonb_build_object('transaction_id', v_transaction_id);
end
$function$;
grant execute on function app.adjust_wallet(p_user_id uuid, p_currency text, p_amount_cents bigint, p_note text) to authenticated;

CREATE OR REPLACE FUNCTION app.adopt_topup(p_topup public.wallet_topups, p_object jsonb)
 RETURNS public.wallet_topups
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_topup public.wallet_topups;
begin
  update public.wallet_topups set
    provider_txn_id = p_object ->> 'id',
    intent_id = case method when 'payment_intent' then p_object ->> 'id'
      else coalesce(intent_id, p_object ->> 'payment_intent') end,
    livemode = (p_object ->> 'livemode')::boolean,
    status = case status when 'CREATED' then 'PROCESSING'::public.payment_status else status end,
    check_at = case status when 'CREATED' then app.clock() + interval '5 minutes' else check_at end
  where id = p_topup.id
  returning * into v_topup;
  return v_topup;
end
$function$;

CREATE OR REPLACE FUNCTION app.alert_operators(p_kind text, p_subject text, p_details jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into public.operator_alerts as a (kind, subject, details)
  values (p_kind, p_subject, p_details)
  on conflict (kind, subject) where resolved_at is null
  do update set times = a.times + 1, details = excluded.details
$function$;

CREATE OR REPLACE FUNCTION app.answer_withdrawal(p_withdrawal_id uuid, p_key text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  select * into strict v_withdrawal from public.wallet_withdrawals where id = p_withdrawal_id;
  if v_withdrawal.status in ('FAILED', 'CANCELLED') then
    perform app.release_key(v_withdrawal.user_id, 'withdraw', p_key);
    return jsonb_build_object('refused', v_withdrawal.failure_code);
  end if;
  return app.store_answer(v_withdrawal.user_id, 'withdraw', p_key,
    jsonb_build_object('withdrawal', app.describe_withdrawal(v_withdrawal)));
end
$function$;
grant execute on function app.answer_withdrawal(p_withdrawal_id uuid, p_key text) to service_role;

CREATE OR REPLACE FUNCTION app.apply_charge(p_charge jsonb)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_payment app.card_payments := app.payment_of(p_charge);
  v_refunded bigint := (p_charge ->> 'amount_refunded')::bigint;
  v_reason text := app.mismatch(p_charge, v_payment.amount_cents, v_payment.currency, v_payment.livemode);
begin
  if v_payment.intent_id is null then
    return app.quarantine(p_charge, 'no such payment');
  end if;
  if v_reason is null and v_refunded not between 0 and v_payment.amount_cents then
    v_reason := 'refunded more than was paid';
  end if;
  if v_reason is not null then
    return app.quarantine(p_charge, v_reason);
  end if;
  update app.card_payments set charge_refunded_cents = greatest(charge_refunded_cents, v_refunded),
    charge_told_at = case when v_refunded > charge_refunded_cents then app.clock() else charge_told_at end
  where intent_id = v_payment.intent_id
  returning * into v_payment;
  return app.settle_reversals(v_payment, 'REFUND', p_charge ->> 'id');
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_checkout_session(p_session jsonb, p_type text)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_topup public.wallet_topups := app.topup_of(p_session);
  v_reason text := app.mismatch(p_session, v_topup.amount_cents, v_topup.currency,
    coalesce(v_topup.livemode, (p_session ->> 'livemode')::boolean));
  v_paid boolean := p_session ->> 'payment_status' = 'paid';
begin
  if v_topup.id is null then
    return case when v_paid then app.quarantine(p_session, 'not ours') else 'ignored' end;
  end if;
  if v_reason is null and p_type = 'checkout.session.async_payment_succeeded' and not v_paid then
    v_reason := 'not paid';
  end if;
  if v_reason is not null then
    return app.quarantine(p_session, v_reason);
  end if;
  if v_topup.provider_txn_id is null then
    v_topup := app.adopt_topup(v_topup, p_session);
  end if;
  if v_paid and v_topup.status <> 'COMPLETED' then
    return app.receive_topup(v_topup, p_session ->> 'payment_intent', p_session);
  end if;
  if not v_paid and (p_type = 'checkout.session.expired' or p_session ->> 'status' = 'expired') then
    return app.news(app.end_topup(v_topup, 'CANCELLED', 'expired'));
  end if;
  if not v_paid and p_type = 'checkout.session.async_payment_failed' then
    return app.news(app.end_topup(v_topup, 'FAILED', 'payment_failed'));
  end if;
  return 'duplicate';
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_dispute(p_dispute jsonb)
 RETURNS app.event_outcome
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.apply_reversal(p_dispute, 'DISPUTE', case
    when p_dispute ->> 'status' in ('won', 'lost', 'warning_closed') then 2
    when p_dispute ->> 'status' like 'warning%' then 0 else 1 end::smallint)
$function$;

CREATE OR REPLACE FUNCTION app.apply_payment_intent(p_intent jsonb, p_type text)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_intent -> 'metadata' ? 'purchase_id'
    or exists (select from public.purchases where provider_txn_id = p_intent ->> 'id')
  then
    return app.apply_purchase_intent(p_intent, p_type);
  end if;
  return app.apply_topup_intent(p_intent, p_type);
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_payout(p_payout jsonb, p_account text)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_withdrawal public.wallet_withdrawals;
  v_reason text;
begin
  select * into v_withdrawal from public.wallet_withdrawals
  where provider_txn_id = p_payout ->> 'id'
    or provider_txn_id is null and id = app.metadata_id(p_payout, 'withdrawal_id')
  for update;
  if not found and p_account is null then
    return 'ignored'; -- to the bank of the house
  elsif not found then
    return app.quarantine(p_payout, 'not ours');
  end if;
  v_reason := app.mismatch(p_payout, v_withdrawal.amount_cents, v_withdrawal.currency,
    coalesce(v_withdrawal.livemode, (p_payout ->> 'livemode')::boolean));
  if v_reason is null and p_account is distinct from v_withdrawal.destination then
    v_reason := 'another account';
  elsif v_reason is null and v_withdrawal.status in ('CREATED', 'CANCELLED') then
    v_reason := 'nothing was sent';
  elsif v_reason is null and p_payout ->> 'status' not in ('failed', 'canceled') and v_withdrawal.status = 'FAILED'
    and v_withdrawal.provider_txn_id is null then
    v_reason := 'sent after it was given up';
  end if;
  if v_reason is not null then
    return app.quarantine(p_payout, v_reason);
  end if;

  if v_withdrawal.provider_txn_id is null then
    update public.wallet_withdrawals set provider_txn_id = p_payout ->> 'id',
      check_at = case status when 'PROCESSING' then app.clock() + interval '1 hour' else check_at end
    where id = v_withdrawal.id
    returning * into v_withdrawal;
  end if;
  return app.news(case
    when p_payout ->> 'status' = 'paid' then app.complete_withdrawal(v_withdrawal)
    when p_payout ->> 'status' in ('failed', 'canceled')
      then app.fail_withdrawal(v_withdrawal, coalesce(p_payout ->> 'failure_code', p_payout ->> 'status'))
    else false end);
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_purchase_intent(p_intent jsonb, p_type text)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
  v_reason text;
  v_status text := p_intent ->> 'status';
begin
  select * into v_purchase from public.purchases
  where provider_txn_id = p_intent ->> 'id' or id = app.metadata_id(p_intent, 'purchase_id') limit 1;
  perform app.take_turn(v_purchase.user_id);
  perform app.enter_raffle(v_purchase.raffle_id);
  select * into v_purchase from public.purchases
  where provider_txn_id = p_intent ->> 'id'
    or provider_txn_id is null and id = app.metadata_id(p_intent, 'purchase_id') and payment_method = 'card'
  for update;
  if not found then
    return case when v_status = 'succeeded' then app.quarantine(p_intent, 'not ours') else 'ignored' end;
  end if;
  v_reason := coalesce(
    app.mismatch(p_intent, v_purchase.amount_cents, v_purchase.currency,
      coalesce(v_purchase.livemode, (p_intent ->> 'livemode')::boolean)),
    app.unpaid_reason(p_intent, p_type));
  if v_reason is not null then
    return app.quarantine(p_intent, v_reason);
  end if;
  if v_purchase.provider_txn_id is null then
    update public.purchases set provider_txn_id = p_intent ->> 'id', livemode = (p_intent ->> 'livemode')::boolean
    where id = v_purchase.id
    returning * into v_purchase;
  end if;
  if v_status = 'succeeded' then
    return app.news(app.receive_purchase(v_purchase, p_intent));
  elsif v_purchase.status = 'PENDING' and v_status = 'canceled' then
    perform app.end_reservation(v_purchase, 'FAILED', 'canceled');
    return 'applied';
  elsif v_purchase.status = 'PENDING' and app.decline_code(p_intent, p_type) is not null then
    -- Another card may be tried until the reservation expires.
    update public.purchases set failure_code = app.decline_code(p_intent, p_type) where id = v_purchase.id;
    return 'applied';
  end if;
  return 'duplicate';
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_quarantined(p_intent_id text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_event app.stripe_events;
  v_outcome app.event_outcome;
begin
  for v_event in
    select * from app.stripe_events where intent_id = p_intent_id and outcome = 'quarantined' order by id for update
  loop
    v_outcome := app.apply_stripe_object(v_event.object, v_event.type, v_event.account);
    update app.stripe_events set outcome = v_outcome where id = v_event.id;
    if v_outcome <> 'quarantined' then
      update public.operator_alerts set resolved_at = app.clock()
      where kind = 'stripe_mismatch' and subject = app.mismatch_subject(v_event.object) and resolved_at is null
        and details ->> 'payment_intent' = p_intent_id and details -> 'object' = v_event.object -> 'object';
    end if;
  end loop;
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_refund(p_refund jsonb)
 RETURNS app.event_outcome
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.apply_reversal(p_refund, 'REFUND', case
    when p_refund ->> 'status' in ('failed', 'canceled') then 2
    when p_refund ->> 'status' = 'succeeded' then 1 else 0 end::smallint)
$function$;

CREATE OR REPLACE FUNCTION app.apply_reversal(p_object jsonb, p_kind app.reversal_kind, p_rank smallint)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_payment app.card_payments := app.payment_of(p_object);
  v_amount bigint := (p_object ->> 'amount')::bigint;
  v_known app.card_reversals;
  v_reason text;
  v_outcome app.event_outcome;
begin
  if v_payment.intent_id is null then
    return app.quarantine(p_object, 'no such payment');
  end if;
  select * into v_known from app.card_reversals where id = p_object ->> 'id';
  v_reason := case
    when v_amount is null or v_amount not between 1 and v_payment.amount_cents then 'more than was paid'
    when upper(p_object ->> 'currency') is distinct from v_payment.currency then 'another currency'
    when coalesce((p_object ->> 'livemode')::boolean, v_payment.livemode) <> v_payment.livemode then 'another mode'
    when v_known.id is not null and (v_known.kind, v_known.intent_id, v_known.amount_cents)
      is distinct from (p_kind, v_payment.intent_id, v_amount) then 'it was another before'
  end;
  if v_reason is not null then
    return app.quarantine(p_object, v_reason);
  end if;
  insert into app.card_reversals as r (id, intent_id, kind, amount_cents, status, rank)
  values (p_object ->> 'id', v_payment.intent_id, p_kind, v_amount, coalesce(p_object ->> 'status', 'pending'), p_rank)
  on conflict (id) do update set status = excluded.status, rank = excluded.rank, told_at = excluded.told_at
  where excluded.rank > r.rank;
  if p_kind = 'DISPUTE' and v_known.id is null then
    perform app.alert_operators('dispute', p_object ->> 'id', jsonb_build_object(
      'payment_intent', v_payment.intent_id, 'amount_cents', v_amount, 'reason', p_object -> 'reason'));
  end if;
  v_outcome := app.settle_reversals(v_payment, p_kind, p_object ->> 'id');
  return case when app.follow_card_refund(p_object ->> 'id', app.metadata_id(p_object, 'refund_id'))
    then 'applied' else v_outcome end;
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_stripe_object(p_object jsonb, p_type text DEFAULT NULL::text, p_account text DEFAULT NULL::text)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_constraint text;
begin
  return case
    when not app.is_stripe_id(p_object ->> 'id') then app.quarantine(p_object, 'no id of Stripe''s')
    -- Connected accounts have nothing of ours but payouts.
    when p_account is not null and p_object ->> 'object' <> 'payout' then app.quarantine(p_object, 'another account')
  else case p_object ->> 'object'
    when 'checkout.session' then app.apply_checkout_session(p_object, p_type)
    when 'payment_intent' then app.apply_payment_intent(p_object, p_type)
    when 'charge' then app.apply_charge(p_object)
    when 'refund' then app.apply_refund(p_object)
    when 'dispute' then app.apply_dispute(p_object)
    when 'transfer' then app.apply_transfer(p_object)
    when 'payout' then app.apply_payout(p_object, p_account)
    else 'ignored'
  end end;
exception when unique_violation then
  get stacked diagnostics v_constraint = constraint_name;
  -- Another of our rows has this id of Stripe's: which of them it belongs to, people must find out.
  if v_constraint in ('card_payments_pkey', 'wallet_topups_intent_id_key', 'wallet_topups_provider_txn_id_key',
    'purchases_provider', 'wallet_withdrawals_transfer_id_key', 'wallet_withdrawals_provider_txn_id_key',
    'card_refunds_refund_id_key')
  then
    return app.quarantine(p_object, 'another row has it');
  end if;
  raise;
end
$function$;
grant execute on function app.apply_stripe_object(p_object jsonb, p_type text, p_account text) to service_role;

CREATE OR REPLACE FUNCTION app.apply_topup_intent(p_intent jsonb, p_type text)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_topup public.wallet_topups := app.topup_of(p_intent);
  v_status text := p_intent ->> 'status';
  v_reason text := app.mismatch(p_intent, v_topup.amount_cents, v_topup.currency,
    coalesce(v_topup.livemode, (p_intent ->> 'livemode')::boolean));
begin
  if v_topup.id is null then
    return case when v_status = 'succeeded' then app.quarantine(p_intent, 'not ours') else 'ignored' end;
  end if;
  v_reason := coalesce(v_reason, app.unpaid_reason(p_intent, p_type));
  if v_reason is not null then
    return app.quarantine(p_intent, v_reason);
  end if;
  if v_topup.provider_txn_id is null and v_topup.method = 'payment_intent' then
    v_topup := app.adopt_topup(v_topup, p_intent);
  end if;
  if v_status = 'succeeded' and v_topup.status <> 'COMPLETED' then
    return app.receive_topup(v_topup, p_intent ->> 'id', p_intent);
  end if;
  if v_topup.method = 'checkout' then
    return 'duplicate'; -- the customer tries again on the same page; the session says how it ends
  end if;
  if v_status = 'canceled' then
    return app.news(app.end_topup(v_topup, 'CANCELLED', coalesce(p_intent ->> 'cancellation_reason', 'canceled')));
  end if;
  if app.decline_code(p_intent, p_type) is not null then
    return app.news(app.end_topup(v_topup, 'FAILED', app.decline_code(p_intent, p_type)));
  end if;
  return 'duplicate';
end
$function$;

CREATE OR REPLACE FUNCTION app.apply_transfer(p_transfer jsonb)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_withdrawal public.wallet_withdrawals;
  v_reason text;
  v_booked boolean;
begin
  select * into v_withdrawal from public.wallet_withdrawals
  where transfer_id = p_transfer ->> 'id'
    or transfer_id is null and id = app.metadata_id(p_transfer, 'withdrawal_id')
  for update;
  if not found then
    return app.quarantine(p_transfer, 'not ours');
  end if;
  v_reason := app.mismatch(p_transfer, v_withdrawal.amount_cents, v_withdrawal.currency,
    coalesce(v_withdrawal.livemode, (p_transfer ->> 'livemode')::boolean));
  if v_reason is null and p_transfer ->> 'destination' is distinct from v_withdrawal.destination then
    v_reason := 'another destination';
  elsif v_reason is null and v_withdrawal.status in ('CREATED', 'CANCELLED') then
    v_reason := 'nothing was sent';
  elsif v_reason is null and (p_transfer ->> 'amount_reversed')::bigint not in (0, v_withdrawal.amount_cents) then
    v_reason := 'reversed in part';
  end if;
  if v_reason is not null then
    return app.quarantine(p_transfer, v_reason);
  end if;

  v_booked := app.book_transfer(v_withdrawal, p_transfer);
  if not coalesce((p_transfer ->> 'reversed')::boolean, false) then
    return app.news(v_booked);
  end if;
  select * into v_withdrawal from public.wallet_withdrawals where id = v_withdrawal.id;
  if app.book_transfer_reversal(v_withdrawal) then
    v_booked := true;
    -- Where a payout was asked for, it decides; where none was, this was the end of it.
    if v_withdrawal.payout_claimed_at is null then
      perform app.fail_withdrawal(v_withdrawal, 'transfer_reversed');
    elsif v_withdrawal.status <> 'FAILED' then
      perform app.alert_operators('transfer_reversed', v_withdrawal.id::text);
    end if;
  end if;
  return app.news(v_booked);
end
$function$;

CREATE OR REPLACE FUNCTION app.are_web_addresses(p_urls text[])
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select coalesce(bool_and(url is not null and length(url) <= 2048 and url ~ '^https?://[^\s<>"]+$'), true)
  from unnest(p_urls) as url
$function$;
grant execute on function app.are_web_addresses(p_urls text[]) to authenticated;

CREATE OR REPLACE FUNCTION app.audience_of(p_row app.outbox)
 RETURNS SETOF uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_row.event = 'operator_alert' then
    return query select distinct r.user_id from public.user_roles r
      join public.profiles p on p.id = r.user_id and p.status = 'ACTIVE';
  else
    return query select distinct p.user_id from public.purchases p
      where p.raffle_id = p_row.subject_id and p.status in ('CONFIRMED', 'REFUNDED') and p.confirmed_at is not null;
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.await_lottery(p_raffle public.raffles, p_draw_date date)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_draw_date is null then
    perform app.alert_operators('lottery_without_draw', p_raffle.id::text);
    return;
  end if;
  insert into public.lottery_draws (raffle_id, draw_date, lottery_id) values (p_raffle.id, p_draw_date, p_raffle.lottery_id);
end
$function$;

CREATE OR REPLACE FUNCTION app.awaited_results(p_max integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object('lottery_id', id, 'name', name, 'draw_date', draw_date)), '[]') from (
    select distinct l.id, l.name, d.draw_date from public.lottery_draws d join public.lotteries l on l.id = d.lottery_id
    join public.raffles r on r.id = d.raffle_id and r.state = 'CLOSED'
    where d.winning_number is null and app.lottery_moment(l.id, d.draw_date) <= clock_timestamp()
      and not exists (select from app.lottery_entries e
        where e.lottery_id = l.id and e.draw_date = d.draw_date and e.source = 'FEED')
    order by d.draw_date, l.id limit p_max
  ) awaited
$function$;
grant execute on function app.awaited_results(p_max integer) to service_role;

CREATE OR REPLACE FUNCTION app.begin_admin_claim()
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_hour_ago timestamptz := app.clock() - interval '1 hour';
  v_tries bigint;
  v_oldest timestamptz;
  v_claim_id uuid;
begin
  -- The stronger lock first: two claims that both hold the weaker one would deadlock.
  perform from public.profiles where id = v_user_id for update;
  perform app.active_user();
  select count(*), min(at) into v_tries, v_oldest
  from app.admin_claims where user_id = v_user_id and at > v_hour_ago;
  if v_tries >= app.setting('admin_claims_per_hour') then
    perform app.fail('rate_limited', jsonb_build_object(
      'retry_after', ceil(extract(epoch from v_oldest - v_hour_ago))));
  end if;
  insert into app.admin_claims (user_id) values (v_user_id) returning id into v_claim_id;
  return v_claim_id;
end
$function$;
grant execute on function app.begin_admin_claim() to authenticated;

CREATE OR REPLACE FUNCTION app.begin_card_purchase(p_order app.purchase_order)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_answer jsonb := app.claim_key(app.signed_in_user(), 'purchase', p_order.key, p_order.request);
  v_purchase public.purchases;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', p_order.user_id);
  select * into v_purchase from public.purchases
  where id = app.subject_of_key(p_order.user_id, 'purchase', p_order.key) and status in ('PENDING', 'CONFIRMED');
  if not found then
    perform app.check_order(p_order);
    perform app.require_player(p_order.user_id);
    v_purchase := app.reserve_for_card(p_order);
    perform app.set_subject_of_key(p_order.user_id, 'purchase', p_order.key, v_purchase.id);
  end if;
  return jsonb_build_object('replayed', false, 'purchase', app.describe_purchase(v_purchase), 'attempt', v_purchase.attempt);
end
$function$;

CREATE OR REPLACE FUNCTION app.begin_purchase(p_key text, p_raffle_id uuid, p_quantity integer, p_numbers integer[], p_type public.purchase_type, p_payment_method public.payment_method, p_redeem boolean, p_ticket_id bigint, p_request jsonb)
 RETURNS json
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_order app.purchase_order := (app.take_turn(auth.uid()), p_key, p_raffle_id, coalesce(p_quantity, cardinality(p_numbers)), p_numbers,
    p_type, p_payment_method, p_redeem, p_ticket_id, p_request, true);
  v_user_id uuid := v_order.user_id;
  v_known record;
begin
  if v_user_id is null then
    perform app.fail('not_authenticated');
  elsif p_payment_method = 'card' then
    return app.begin_card_purchase(v_order);
  elsif coalesce(length(p_key), 0) not between 1 and 255 then
    perform app.fail('idempotency_key_required');
  end if;
  -- In one statement what can be asked in the turn. With it nobody else writes this key, so it is written
  -- once, with the effect.
  select
    exists (select from app.idempotency_keys where user_id = v_user_id and endpoint = 'purchase' and key = p_key) as key,
    exists (select from public.play_limits where user_id = v_user_id and kind = 'spend') as has_limits,
    (select app.find_fault(status, (select email_confirmed_at from auth.users where id = v_user_id), self_excluded_until,
      birth_date, (select value from app.settings where name = 'minimum_age'))
    from public.profiles where id = v_user_id) as fault
  into v_known;
  if v_known.key then
    return json_build_object('replayed', true, 'answer',
      app.recall_purchase(v_user_id, p_key, app.claim_key(v_user_id, 'purchase', p_key, p_request)));
  end if;
  v_user_id := app.take_token('money', v_user_id);
  -- One ticket of a raffle's own, which is nearly every order, has nothing to be checked.
  if (p_payment_method = 'wallet' and p_type = 'ENTRY' and p_quantity = 1 and num_nulls(p_numbers, p_ticket_id) = 2
    and p_redeem is not null) is not true
  then
    perform app.check_order(v_order);
  end if;
  if v_known.fault is distinct from '' then
    v_user_id := app.require_player(v_user_id);
  end if;
  v_order.has_limits := v_known.has_limits;
  return json_build_object('replayed', false, 'answer', app.buy_by_wallet(v_order));
end
$function$;
grant execute on function app.begin_purchase(p_key text, p_raffle_id uuid, p_quantity integer, p_numbers integer[], p_type public.purchase_type, p_payment_method public.payment_method, p_redeem boolean, p_ticket_id bigint, p_request jsonb) to authenticated;

CREATE OR REPLACE FUNCTION app.begin_purchase_check(p_purchase_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases := app.own_purchase(p_purchase_id);
begin
  perform app.take_token('verify', v_purchase.user_id);
  return jsonb_build_object('purchase', app.describe_purchase(v_purchase), 'provider_txn_id', v_purchase.provider_txn_id);
end
$function$;
grant execute on function app.begin_purchase_check(p_purchase_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.begin_topup(p_key text, p_amount_cents bigint, p_currency text, p_method public.payment_form, p_request jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_answer jsonb := app.claim_key(v_user_id, 'topup', p_key, p_request);
  v_topup public.wallet_topups;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', v_user_id);
  select * into v_topup from public.wallet_topups
  where id = app.subject_of_key(v_user_id, 'topup', p_key) and status <> 'CANCELLED'
  for update; -- whoever gives it up sees that this key is being worked on, or this sees that it was given up
  if not found then
    v_topup := app.create_topup(p_amount_cents, p_currency, p_method);
    perform app.set_subject_of_key(v_user_id, 'topup', p_key, v_topup.id);
  elsif v_topup.status = 'FAILED' then
    -- What was declined is tried again with the same payment: it may have been paid since, and another one
    -- beside it would be a second charge.
    perform app.require_deposit(v_topup.account_id, v_topup.amount_cents);
  end if;
  return jsonb_build_object('replayed', false, 'topup', app.describe_topup(v_topup), 'attempt', v_topup.attempt,
    'expires_at', v_topup.created_at + make_interval(mins => app.setting('topup_expiry_minutes')));
end
$function$;
grant execute on function app.begin_topup(p_key text, p_amount_cents bigint, p_currency text, p_method public.payment_form, p_request jsonb) to authenticated;

CREATE OR REPLACE FUNCTION app.begin_topup_check(p_topup_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_topup public.wallet_topups := app.own_topup(p_topup_id);
begin
  perform app.take_token('verify', v_topup.user_id);
  return jsonb_build_object('topup', app.describe_topup(v_topup), 'provider_txn_id', v_topup.provider_txn_id);
end
$function$;
grant execute on function app.begin_topup_check(p_topup_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.begin_withdrawal(p_key text, p_amount_cents bigint, p_currency text, p_request jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_answer jsonb := app.claim_key(v_user_id, 'withdraw', p_key, p_request);
  v_withdrawal public.wallet_withdrawals;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', v_user_id);
  select * into v_withdrawal from public.wallet_withdrawals
  where id = app.subject_of_key(v_user_id, 'withdraw', p_key) and status in ('CREATED', 'PROCESSING', 'COMPLETED');
  if not found then
    v_withdrawal := app.create_withdrawal(p_amount_cents, p_currency);
    perform app.set_subject_of_key(v_user_id, 'withdraw', p_key, v_withdrawal.id);
  end if;
  return jsonb_build_object('replayed', false, 'withdrawal', app.describe_withdrawal(v_withdrawal));
end
$function$;
grant execute on function app.begin_withdrawal(p_key text, p_amount_cents bigint, p_currency text, p_request jsonb) to authenticated;

CREATE OR REPLACE FUNCTION app.book_transfer(p_withdrawal public.wallet_withdrawals, p_transfer jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_withdrawal.transfer_id is not null then
    return false;
  end if;
  update public.wallet_withdrawals
  set transfer_id = p_transfer ->> 'id', transfer_booked_at = app.clock(), livemode = (p_transfer ->> 'livemode')::boolean,
    -- One that turns up after we had given it up is fetched back.
    check_at = case status when 'FAILED' then app.clock() else check_at end
  where id = p_withdrawal.id;
  perform app.post_transaction('WITHDRAWAL', array[
    (app.account_of('WITHDRAWALS', p_withdrawal.currency), -p_withdrawal.amount_cents),
    (app.account_of('STRIPE_CLEARING', p_withdrawal.currency), p_withdrawal.amount_cents)
  ]::app.posting[], p_withdrawal_id => p_withdrawal.id, p_external_id => p_transfer ->> 'id');
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.book_transfer_reversal(p_withdrawal public.wallet_withdrawals)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_withdrawal.transfer_reversed_at is not null then
    return false;
  end if;
  update public.wallet_withdrawals
  set transfer_reversed_at = app.clock(), check_at = case status when 'FAILED' then null else check_at end
  where id = p_withdrawal.id;
  perform app.post_transaction('WITHDRAWAL', array[
    (app.account_of('WITHDRAWALS', p_withdrawal.currency), p_withdrawal.amount_cents),
    (app.account_of('STRIPE_CLEARING', p_withdrawal.currency), -p_withdrawal.amount_cents)
  ]::app.posting[], p_withdrawal_id => p_withdrawal.id, p_external_id => p_withdrawal.transfer_id);
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.buy_by_wallet(p_order app.purchase_order)
 RETURNS json
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_taking app.taking := app.take_seats(p_order.raffle_id, p_order.quantity, false);
  v_cents bigint := app.cost_of(p_order, v_taking.raffle);
  v_purchase_id uuid := app.new_id();
  v_numbers integer[];
  v_answer json;
begin
  if v_taking.the_last then
    perform app.fill_if_sold_out(p_order.raffle_id, v_taking.seats);
  end if;
  if p_order.numbers is not null then
    v_numbers := app.claim_numbers(v_taking.raffle, v_purchase_id, p_order.numbers);
  elsif p_order.redeem and (v_taking.raffle).numbering = 'PICK' then
    v_numbers := app.claim_lucky_numbers(v_taking.raffle, v_purchase_id, p_order.quantity);
  elsif p_order.redeem then
    v_numbers := app.numbers_of(v_taking.raffle, v_taking.seats);
  end if;
  v_answer := app.settle_wallet_purchase(p_order, v_purchase_id, v_cents, (v_taking.raffle).currency, v_numbers);
  if not p_order.redeem then
    perform app.reserve_seats(v_purchase_id, v_taking.seats);
  end if;
  return v_answer;
end
$function$;

CREATE OR REPLACE FUNCTION app.call_function(p_job text, p_path text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_url text;
  v_secret text;
begin
  if to_regnamespace('net') is null or to_regclass('vault.decrypted_secrets') is null then
    raise exception '% needs pg_net and Vault, which this database does not have', p_job;
  end if;
  select decrypted_secret into v_url from vault.decrypted_secrets where name = 'functions_url';
  select decrypted_secret into v_secret from vault.decrypted_secrets where name = 'scheduler_secret';
  if v_url is null or v_secret is null then
    raise exception '% needs the secrets functions_url and scheduler_secret in Vault', p_job;
  end if;
  insert into app.function_calls (job, request_id) values (p_job, net.http_post(
    url := v_url || p_path,
    headers := jsonb_build_object('authorization', 'Bearer ' || v_secret, 'content-type', 'application/json'),
    body := '{}'::jsonb,
    timeout_milliseconds := 120000));
end
$function$;

CREATE OR REPLACE FUNCTION app.cancel_raffle(p_raffle_id uuid, p_reason text, p_dry_run boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_state public.raffle_state;
  v_plan jsonb;
begin
  perform app.require_role('operator');
  perform app.require_note('reason', p_reason);
  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select state into v_state from public.raffles where id = p_raffle_id for update;
  if not found then
    perform app.fail('raffle_not_found');
  elsif v_state in ('DRAWN', 'SETTLED', 'CANCELLED') or app.draw_is_near(p_raffle_id) then
    perform app.fail('raffle_not_cancellable');
  end if;
  v_plan := app.describe_cancellation(p_raffle_id);
  if not coalesce(p_dry_run, true) then
    perform app.stop_raffle(p_raffle_id, btrim(p_reason));
    perform app.refund_purchases(p_raffle_id);
  end if;
  return v_plan || jsonb_build_object('dry_run', coalesce(p_dry_run, true));
end
$function$;
grant execute on function app.cancel_raffle(p_raffle_id uuid, p_reason text, p_dry_run boolean) to authenticated;

CREATE OR REPLACE FUNCTION app.cancel_topup(p_topup_id uuid, p_code text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_topup public.wallet_topups;
begin
  select * into strict v_topup from public.wallet_topups where id = p_topup_id for update;
  if exists (select from app.idempotency_keys where user_id = v_topup.user_id and endpoint = 'topup'
    and subject_id = p_topup_id and answer is null and leased_until > app.clock())
  then
    return false;
  end if;
  return app.end_topup(v_topup, 'CANCELLED', p_code);
end
$function$;
grant execute on function app.cancel_topup(p_topup_id uuid, p_code text) to service_role;

CREATE OR REPLACE FUNCTION app.cancel_withdrawal(p_withdrawal_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  update public.wallet_withdrawals set status = 'CANCELLED', check_at = null
  where id = p_withdrawal_id and status = 'CREATED'
  returning * into v_withdrawal;
  if not found then
    return false;
  end if;
  perform app.release_hold(v_withdrawal.hold_id);
  perform app.tell('withdrawal_failed', v_withdrawal.user_id, v_withdrawal.id);
  return true;
end
$function$;
grant execute on function app.cancel_withdrawal(p_withdrawal_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.capture_hold(p_hold_id bigint, p_to_account_id bigint, p_withdrawal_id uuid DEFAULT NULL::uuid, p_external_id text DEFAULT NULL::text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_hold public.wallet_holds := app.resolve_hold(p_hold_id, 'CAPTURED');
begin
  return app.post_transaction(
    v_hold.reason,
    array[(v_hold.account_id, -v_hold.amount_cents), (p_to_account_id, v_hold.amount_cents)]::app.posting[],
    p_withdrawal_id => p_withdrawal_id,
    p_external_id => p_external_id,
    p_even_suspended => true);
end
$function$;

CREATE OR REPLACE FUNCTION app.charge_back(p_account_id bigint, p_amount_cents bigint, p_reason public.ledger_reason, p_external_id text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_account public.wallet_accounts;
  v_debt bigint;
  v_wallet bigint;
begin
  select * into strict v_account from public.wallet_accounts where id = p_account_id for no key update;
  if v_account.kind <> 'USER' then
    perform app.post_transaction(p_reason, array[
      (p_account_id, -p_amount_cents), (app.account_of('STRIPE_CLEARING', v_account.currency), p_amount_cents)
    ]::app.posting[], p_external_id => p_external_id);
    return;
  end if;
  v_debt := case when p_amount_cents > 0
    then greatest(p_amount_cents - (v_account.balance_cents - v_account.held_cents), 0)
    else greatest(p_amount_cents, -v_account.debt_cents) end;
  v_wallet := p_amount_cents - v_debt;
  update public.wallet_accounts set debt_cents = debt_cents + v_debt where id = p_account_id;
  perform app.post_transaction(p_reason, array(
    select posting from unnest(array[
      (p_account_id, -v_wallet),
      (app.account_of('RECEIVABLE', v_account.currency, v_account.user_id), -v_debt),
      (app.account_of('STRIPE_CLEARING', v_account.currency), p_amount_cents)
    ]::app.posting[]) as posting where (posting).amount_cents <> 0
  ), p_external_id => p_external_id, p_even_suspended => true);
end
$function$;

CREATE OR REPLACE FUNCTION app.check_boost(p_raffle public.raffles, p_user_id uuid, p_quantity integer, p_ticket_id bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_bought_as public.purchase_type;
  v_limit integer;
  v_count bigint;
begin
  select p.type into v_bought_as from public.tickets t join public.purchases p on p.id = t.purchase_id
  where t.id = p_ticket_id and t.user_id = p_user_id and t.raffle_id = p_raffle.id;
  if not found then
    perform app.fail('ticket_not_found');
  end if;
  v_limit := case v_bought_as when 'BOOST' then 0 else coalesce(p_raffle.boost_limit, 0) end;
  select coalesce(sum(quantity), 0) into v_count from public.purchases
  where ticket_id = p_ticket_id and type = 'BOOST' and status in ('PENDING', 'CONFIRMED');
  if v_count + p_quantity > v_limit then
    perform app.fail('boost_limit_reached', jsonb_build_object('limit', v_limit, 'remaining', greatest(v_limit - v_count, 0)));
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.check_deposit_limits(p_account_id bigint, p_amount_cents bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_limit record;
begin
  select l.period, l.currency, app.limit_in_force(l) as amount_cents, sum(t.amount_cents)::bigint as used_cents
  into v_limit
  from public.wallet_accounts a
  join public.play_limits l on l.user_id = a.user_id and l.currency = a.currency and l.kind = 'deposit'
  left join public.wallet_topups t on t.account_id = a.id
    and t.status in ('CREATED', 'PROCESSING', 'COMPLETED')
    and t.created_at > app.clock() - app.length_of(l.period)
  where a.id = p_account_id
  group by l.user_id, l.kind, l.period, l.currency
  having coalesce(sum(t.amount_cents), 0) + p_amount_cents > app.limit_in_force(l)
  order by l.period limit 1;
  if found then
    perform app.fail('deposit_limit_reached', jsonb_build_object(
      'period', v_limit.period, 'currency', v_limit.currency, 'limit_cents', v_limit.amount_cents,
      'remaining_cents', greatest(v_limit.amount_cents - coalesce(v_limit.used_cents, 0), 0)));
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.check_invariants()
 RETURNS TABLE(invariant integer, rule text, subject text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with signed as (
    select *, case direction when 'CREDIT' then amount_cents else -amount_cents end as cents from public.wallet_ledger
  )

  -- 1: the entries of each transaction sum to zero, and so does the whole ledger
  select 1, 'the entries of a transaction sum to zero', transaction_id || ' ' || currency
  from signed group by transaction_id, currency having sum(cents) <> 0
  union all
  select 1, 'the ledger sums to zero', currency::text from signed group by currency having sum(cents) <> 0
  union all
  select 1, 'an entry is of its account', l.id::text
  from public.wallet_ledger l left join public.wallet_accounts a on a.id = l.account_id
  where a.currency is distinct from l.currency
    or l.user_id is distinct from case a.kind when 'USER' then a.user_id end
  union all
  select 1, 'a reversal takes back what it is linked to', l.id::text
  from public.wallet_ledger l left join public.wallet_ledger r on r.id = l.reverses_id
  where (l.reverses_id is not null) <> (l.status = 'REVERSAL') or l.reverses_id is not null and (
    (l.account_id, l.amount_cents) is distinct from (r.account_id, r.amount_cents) or l.direction = r.direction)
  union all
  select 1, 'an entry names what is there', l.id::text
  from public.wallet_ledger l
  left join public.wallet_topups t on t.id = l.topup_id
  left join public.wallet_withdrawals w on w.id = l.withdrawal_id
  left join public.purchases p on p.id = l.purchase_id
  where l.topup_id is distinct from t.id or l.withdrawal_id is distinct from w.id or l.purchase_id is distinct from p.id

  -- 2: what is cached is what adds up
  union all
  select 2, 'the cached balance is the sum of the entries', a.id::text
  from public.wallet_accounts a left join signed l on l.account_id = a.id
  where a.kind = 'USER' group by a.id having a.balance_cents <> coalesce(sum(l.cents), 0)
  union all
  select 2, 'a house balance is the sum of the entries that are rolled up', a.id::text
  from public.wallet_accounts a
  left join public.house_balances h on h.account_id = a.id
  left join signed l on l.account_id = a.id and l.id <= (select rolled_up from app.ledger_mark)
  where a.kind <> 'USER' group by a.id, h.balance_cents having coalesce(h.balance_cents, 0) <> coalesce(sum(l.cents), 0)
  union all
  select 2, 'held is the sum of the active holds', a.id::text
  from public.wallet_accounts a left join public.wallet_holds h on h.account_id = a.id and h.status = 'ACTIVE'
  where a.kind = 'USER' group by a.id having a.held_cents <> coalesce(sum(h.amount_cents), 0)
  union all
  select 2, 'a debt is what is receivable from the person', a.user_id::text || ' ' || a.currency
  from public.wallet_accounts a
  left join public.wallet_accounts r on r.kind = 'RECEIVABLE' and r.user_id = a.user_id and r.currency = a.currency
  left join signed l on l.account_id = r.id
  where a.kind = 'USER' group by a.id having a.debt_cents <> -coalesce(sum(l.cents), 0)
  union all
  select 2, 'nobody who owes has anything to spend', id::text
  from public.wallet_accounts where debt_cents > 0 and balance_cents > held_cents
  union all
  select 2, 'no balance is negative, and none is held twice', id::text
  from public.wallet_accounts where balance_cents < held_cents or held_cents < 0

  -- 3: a raffle's tickets are its counters, unique and within range
  union all
  select 3, 'lanes cover the seats of their raffle, once', r.id::text
  from public.raffles r left join app.raffle_lanes l on l.raffle_id = r.id
  where r.published_at is not null
  group by r.id
  having coalesce(sum(l.end_num - l.start_num + 1), 0) <> r.tickets_required
    or min(l.start_num) <> 1 or max(l.end_num) <> r.tickets_required
  union all
  select 3, 'what a lane counts as taken is in purchases', r.id::text
  from public.raffles r
  where r.state <> 'CANCELLED' and app.count_taken(r.id) <> (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = r.id and status in ('PENDING', 'CONFIRMED'))
  union all
  select 3, 'what a lane counts as unpaid is pending', r.id::text
  from public.raffles r
  where r.state <> 'CANCELLED' and (select coalesce(sum(unpaid), 0) from app.raffle_lanes where raffle_id = r.id) <> (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = r.id and status = 'PENDING')
  union all
  select 3, 'what came back is in the gaps', l.raffle_id || ' ' || l.lane_no
  from app.raffle_lanes l left join app.raffle_gaps g using (raffle_id, lane_no)
  group by l.raffle_id, l.lane_no having l.returned <> coalesce(sum(g.end_num - g.start_num + 1), 0)
  union all
  select 3, 'numbers are within the raffle''s range', t.raffle_id || ' ' || t.ticket_num
  from public.tickets t join public.raffles r on r.id = t.raffle_id
  where t.ticket_num - app.first_number(r) not between 0 and r.tickets_required - 1
  union all
  select 3, 'a raffle is FULL when its last seat is paid, and not before', r.id::text
  from public.raffles r
  where r.state in ('OPEN', 'FULL') and (r.state = 'FULL') <> (r.tickets_required = (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = r.id and status = 'CONFIRMED'))

  -- 4: escrow is what confirmed purchases paid, and nothing once the raffle is settled
  union all
  select 4, 'escrow is what confirmed purchases paid', r.id::text
  from public.raffles r
  left join public.wallet_accounts a on a.raffle_id = r.id and a.kind = 'RAFFLE_ESCROW'
  left join signed l on l.account_id = a.id
  group by r.id
  having coalesce(sum(l.cents), 0) <> case r.state when 'SETTLED' then 0 else 1 end * (
    select coalesce(sum(amount_cents), 0) from public.purchases where raffle_id = r.id and status = 'CONFIRMED')

  union all
  select 4, 'what is due to cards is what payments on their way back have left', a.currency::text
  from public.wallet_accounts a left join signed l on l.account_id = a.id
  where a.kind = 'REFUNDS_DUE' group by a.id
  having coalesce(sum(l.cents), 0) <> (
    select coalesce(sum(amount_cents - taken_cents), 0) from app.card_payments p where p.account_id = a.id)
  union all
  select 4, 'card money that goes back has a refund under way', p.intent_id
  from app.card_payments p join public.wallet_accounts a on a.id = p.account_id and a.kind = 'REFUNDS_DUE'
  where p.taken_cents < p.amount_cents
    and not exists (select from app.card_refunds r where r.intent_id = p.intent_id and r.failed_at is null)

  -- 5: every confirmed purchase has its tickets, or its seats to redeem them
  union all
  select 5, 'a confirmed purchase has its tickets, or an open right to them', p.id::text
  from public.purchases p
  left join lateral (select count(*) as tickets from public.tickets where user_id = p.user_id and purchase_id = p.id) t on true
  left join lateral (select coalesce(sum(end_num - start_num + 1), 0) as seats from app.reservations where purchase_id = p.id) s on true
  where case
    when p.status = 'CONFIRMED' and p.redeemed then t.tickets <> p.quantity or s.seats <> 0
    when p.status in ('PENDING', 'CONFIRMED') then t.tickets <> 0 or s.seats <> p.quantity
    else s.seats <> 0 end

  union all
  select 5, 'what a purchase says of itself fits together', id::text
  from public.purchases
  where redeemed and status not in ('CONFIRMED', 'REFUNDED') or (ticket_id is not null) <> (type <> 'ENTRY')

  -- 6: what was sealed is what there is, and what was drawn follows from it
  union all
  select 6, 'no ticket came after its raffle was sealed', t.raffle_id || ' ' || t.ticket_num
  from public.draws d join public.tickets t on t.raffle_id = d.raffle_id where t.created_at > d.sealed_at
  union all
  select 6, 'the sealed root is that of the tickets', d.raffle_id::text
  from public.draws d join public.raffles r on r.id = d.raffle_id
  where r.state <> 'CANCELLED' and d.ticket_root <> encode(app.root_of(app.hash_tickets(d.raffle_id)), 'hex')
  union all
  select 6, 'a ticket is voided with its raffle, and only then', t.raffle_id || ' ' || t.ticket_num
  from public.tickets t join public.raffles r on r.id = t.raffle_id where (t.voided_at is not null) <> (r.state = 'CANCELLED')
  union all
  select 6, 'the winners are those that the beacon names', d.raffle_id::text
  from public.draws d
  where d.randomness is not null and (
    d.randomness <> encode(sha256(decode(d.signature, 'hex')), 'hex')
    or array(select ticket_num from public.winners w where w.raffle_id = d.raffle_id order by place) <> app.drawn_numbers(
      d.raffle_id, (select max(place) from public.winners w where w.raffle_id = d.raffle_id)))
  union all
  select 6, 'a raffle has been sealed if it is closed, and drawn if it says so', r.id::text
  from public.raffles r left join public.draws d on d.raffle_id = r.id
  where r.state in ('CLOSED', 'DRAWN', 'SETTLED') and d.raffle_id is null
    or r.state in ('DRAWN', 'SETTLED') and d.drawn_at is null

  union all
  select 6, 'the winner has the official number', d.raffle_id::text
  from public.lottery_draws d join public.lottery_results r on r.lottery_id = d.lottery_id and r.draw_date = d.draw_date
  join public.raffles f on f.id = d.raffle_id
  left join public.winners w on w.raffle_id = d.raffle_id and w.place = 1
  where d.winning_number <> r.winning_number
    or d.draw_date = (select max(draw_date) from public.lottery_draws l where l.raffle_id = d.raffle_id)
      and f.state in ('DRAWN', 'SETTLED') and w.ticket_num <> d.winning_number::integer

  -- 7: a completed top-up has exactly one credit, a paid withdrawal exactly one capture
  union all
  select 7, 'a top-up has one credit if it is completed, else none', t.id::text
  from public.wallet_topups t
  left join public.wallet_ledger l on l.topup_id = t.id and l.account_id = t.account_id and l.direction = 'CREDIT'
  group by t.id
  having count(l.id) <> case t.status when 'COMPLETED' then 1 else 0 end
    or coalesce(sum(l.amount_cents), 0) <> case t.status when 'COMPLETED' then t.amount_cents else 0 end
  union all
  select 7, 'a withdrawal is captured once if it is completed, else not', w.id::text
  from public.wallet_withdrawals w
  left join signed l on l.withdrawal_id = w.id and l.account_id = w.account_id
  group by w.id
  having coalesce(sum(l.cents), 0) <> case w.status when 'COMPLETED' then -w.amount_cents else 0 end
    or count(l.id) filter (where l.reverses_id is null) > 1
  union all
  select 7, 'a hold is there for each withdrawal that is under way, and ended with it', w.id::text
  from public.wallet_withdrawals w join public.wallet_holds h on h.id = w.hold_id
  where (h.status = 'ACTIVE') <> (w.status in ('CREATED', 'PROCESSING')) or h.amount_cents <> w.amount_cents
  union all
  select 7, 'what is under way to a bank is what the transfers moved', a.currency::text
  from public.wallet_accounts a left join signed l on l.account_id = a.id
  where a.kind = 'WITHDRAWALS' group by a.id
  having coalesce(sum(l.cents), 0) <> (
    select coalesce(sum(case when status = 'COMPLETED' then amount_cents else 0 end
      - case when transfer_id is not null and transfer_reversed_at is null then amount_cents else 0 end), 0)
    from public.wallet_withdrawals w where w.currency = a.currency)
  union all
  select 7, 'what Stripe took back is posted', p.intent_id
  from app.card_payments p
  where p.taken_cents < 0
    or not exists (select from public.wallet_topups t where t.intent_id = p.intent_id and t.status = 'COMPLETED')
      and not exists (select from public.purchases b where b.provider_txn_id = p.intent_id and b.status in ('CONFIRMED', 'REFUNDED'))
$function$;

CREATE OR REPLACE FUNCTION app.check_numbers(p_numbers integer[])
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if exists (select from unnest(p_numbers) as n group by n having count(*) > 1) then
    perform app.fail('number_out_of_range', jsonb_build_object('numbers', array(
      select n from unnest(p_numbers) as n group by n having count(*) > 1)));
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.check_order(p_order app.purchase_order)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_order.quantity is null or p_order.quantity < 1
    or p_order.quantity > 1 and p_order.quantity > app.setting('purchase_maximum_quantity')
  then
    perform app.fail('quantity_out_of_range', jsonb_build_object('minimum', 1, 'maximum', app.setting('purchase_maximum_quantity')));
  end if;
  if p_order.numbers is not null and cardinality(p_order.numbers) <> p_order.quantity then
    perform app.fail_field('numbers', 'must be as many as quantity');
  elsif p_order.numbers is not null then
    perform app.check_numbers(p_order.numbers);
  end if;
  if p_order.type is null or p_order.payment_method is null or p_order.redeem is null then
    perform app.fail_field(
      case when p_order.type is null then 'type' when p_order.payment_method is null then 'payment_method' else 'redeem' end,
      'is needed');
  end if;
  if p_order.ticket_id is null and p_order.type <> 'ENTRY' then
    perform app.fail_field('ticket_id', 'is needed for a BOOST or RETRY');
  elsif p_order.ticket_id is not null and p_order.type = 'ENTRY' then
    perform app.fail_field('ticket_id', 'is only for a BOOST or RETRY');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.check_request()
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
begin
  if v_claims ->> 'role' is distinct from 'authenticated' then
    return;
  end if;
  if coalesce(v_claims ->> 'sub', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
    or not coalesce(v_claims -> 'aud' @> '"authenticated"', false)
  then
    perform app.fail('not_authenticated');
  end if;
end
$function$;
grant execute on function app.check_request() to anon;
grant execute on function app.check_request() to authenticated;
grant execute on function app.check_request() to service_role;

CREATE OR REPLACE FUNCTION app.check_retry(p_raffle public.raffles, p_user_id uuid, p_quantity integer, p_ticket_id bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if not exists (select from public.tickets where id = p_ticket_id and user_id = p_user_id) then
    perform app.fail('ticket_not_found');
  end if;
  if p_quantity <> 1
    or not exists (
      select from public.tickets t join public.raffles r on r.id = t.raffle_id
      where t.id = p_ticket_id and r.id = p_raffle.retry_of and r.state in ('DRAWN', 'SETTLED') and t.voided_at is null
        and not exists (select from public.winners w where w.raffle_id = t.raffle_id and w.ticket_num = t.ticket_num))
    or exists (select from public.purchases
      where ticket_id = p_ticket_id and type = 'RETRY' and status in ('PENDING', 'CONFIRMED'))
  then
    perform app.fail('retry_not_available');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.claim_key(p_user_id uuid, p_endpoint text, p_key text, p_request jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION app.claim_lucky_numbers(p_raffle public.raffles, p_purchase_id uuid, p_quantity integer)
 RETURNS integer[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_first integer := app.first_number(p_raffle);
  v_wish integer[];
  v_claimed integer[];
begin
  for v_round in 1..1000 loop
    v_wish := array(
      select n from (
        select v_first + floor(random() * p_raffle.tickets_required)::integer as n
        from generate_series(1, p_quantity * 2) where v_round <= 5
        union
        select n from generate_series(v_first, v_first + p_raffle.tickets_required - 1) as n
        where v_round > 5
      ) candidates
      where not exists (select from app.number_claims c where c.raffle_id = p_raffle.id and c.num = n)
      order by random() limit p_quantity);
    continue when cardinality(v_wish) < p_quantity;
    begin
      with claimed as (
        insert into app.number_claims (raffle_id, num, purchase_id)
        select p_raffle.id, n, p_purchase_id from unnest(v_wish) as n order by n
        on conflict do nothing
        returning num
      )
      select array_agg(num) into v_claimed from claimed;
      if cardinality(v_claimed) = p_quantity then
        return v_claimed;
      end if;
      raise sqlstate 'LUCK0';
    exception when sqlstate 'LUCK0' then
      null;
    end;
  end loop;
  raise exception 'app.claim_lucky_numbers: found no number for a seat of raffle %', p_raffle.id;
end
$function$;

CREATE OR REPLACE FUNCTION app.claim_notifications(p_max integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_claimed public.notifications[];
begin
  perform app.queue_notifications();
  -- Whoever had the last try has not come back.
  perform app.end_notifications(array(
    select id from public.notifications where status = 'QUEUED' and due_at <= clock_timestamp() and attempts > 5
    order by due_at limit p_max for update skip locked), 'DEAD');
  with claimed as (
    update public.notifications set attempts = attempts + 1,
      due_at = clock_timestamp() + coalesce(app.retry_after(attempts + 1), '10 minutes')
    where id in (select id from public.notifications where status = 'QUEUED' and due_at <= clock_timestamp() and attempts <= 5
      order by due_at, id limit p_max for update skip locked)
    returning *
  )
  select array_agg(c) into v_claimed from claimed c;
  return coalesce((
    select jsonb_agg(jsonb_build_object(
      'id', n.id, 'event', n.event, 'user_id', n.user_id, 'person', app.describe_person(n.user_id), 'facts', app.facts_of(n))
      order by n.happened_at, n.outbox_id)
    from unnest(v_claimed) as n), '[]');
end
$function$;
grant execute on function app.claim_notifications(p_max integer) to service_role;

CREATE OR REPLACE FUNCTION app.claim_numbers(p_raffle public.raffles, p_purchase_id uuid, p_numbers integer[])
 RETURNS integer[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_first integer := app.first_number(p_raffle);
  v_wrong integer[] := array(select n from unnest(p_numbers) as n
    where n is null or n not between v_first and v_first + p_raffle.tickets_required - 1);
  v_claimed integer[];
begin
  if cardinality(v_wrong) > 0 then
    perform app.fail('number_out_of_range', jsonb_build_object(
      'numbers', v_wrong, 'first', v_first, 'last', v_first + p_raffle.tickets_required - 1));
  end if;
  with claimed as (
    insert into app.number_claims (raffle_id, num, purchase_id)
    select p_raffle.id, n, p_purchase_id from unnest(p_numbers) as n order by n
    on conflict do nothing
    returning num
  )
  select array_agg(num order by num) into v_claimed from claimed;
  if coalesce(cardinality(v_claimed), 0) < cardinality(p_numbers) then
    perform app.fail('number_taken', jsonb_build_object('numbers', array(
      select n from unnest(p_numbers) as n where n <> all (coalesce(v_claimed, '{}')) order by n)));
  end if;
  return v_claimed;
end
$function$;

CREATE OR REPLACE FUNCTION app.claim_payout(p_withdrawal_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update public.wallet_withdrawals set payout_claimed_at = app.clock(), check_at = app.clock() + interval '2 minutes'
  where id = p_withdrawal_id and status = 'PROCESSING' and transfer_id is not null and payout_claimed_at is null
  returning jsonb_build_object('id', id, 'amount_cents', amount_cents, 'currency', currency, 'destination', destination)
$function$;
grant execute on function app.claim_payout(p_withdrawal_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.claim_prize(p_raffle_id uuid, p_place integer, p_delivery jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.take_token('account', app.active_user());
  v_claim public.prize_claims;
begin
  if jsonb_typeof(p_delivery) is distinct from 'object' or length(p_delivery::text) > 4096
    or not exists (select from jsonb_each_text(case jsonb_typeof(p_delivery) when 'object' then p_delivery else '{}' end)
      where btrim(value) <> '')
  then
    perform app.fail_field('delivery', 'must be an object of at most 4096 characters that says where to send it');
  end if;
  select * into v_claim from public.prize_claims
  where raffle_id = p_raffle_id and place = p_place and user_id = v_user_id for update;
  if not found then
    perform app.fail('prize_not_found');
  elsif v_claim.status not in ('OFFERED', 'CLAIMED') or v_claim.status = 'OFFERED' and v_claim.claim_until <= clock_timestamp() then
    perform app.fail('prize_not_claimable');
  end if;
  update public.prize_claims set status = 'CLAIMED', delivery = p_delivery where raffle_id = p_raffle_id and place = p_place;
end
$function$;
grant execute on function app.claim_prize(p_raffle_id uuid, p_place integer, p_delivery jsonb) to authenticated;

CREATE OR REPLACE FUNCTION app.claim_transfer(p_withdrawal_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update public.wallet_withdrawals set status = 'PROCESSING', check_at = app.clock() + interval '2 minutes'
  where id = p_withdrawal_id and status = 'CREATED'
  returning jsonb_build_object('id', id, 'amount_cents', amount_cents, 'currency', currency, 'destination', destination)
$function$;
grant execute on function app.claim_transfer(p_withdrawal_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.claim_unfinished(p_max integer)
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  -- One that Stripe has refused to send for an hour: a person must look at it.
  select app.alert_operators('refund_stuck', id::text, jsonb_build_object(
    'purchase_id', purchase_id, 'payment_intent', intent_id, 'amount_cents', amount_cents))
  from app.card_refunds where check_at <= app.clock() and checks > 6;

  with purchases as (
    update public.purchases set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '6 hours')
    where id in (select id from public.purchases where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  ), refunds as (
    update app.card_refunds set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '6 hours')
    where id in (select id from app.card_refunds where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  )
  select app.claim_unfinished_money(p_max) || jsonb_build_object(
    'purchases', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'status', status, 'provider_txn_id', provider_txn_id, 'created_at', created_at)) from purchases), '[]'),
    'refunds', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'intent_id', intent_id, 'amount_cents', amount_cents)) from refunds), '[]'))
$function$;
grant execute on function app.claim_unfinished(p_max integer) to service_role;

CREATE OR REPLACE FUNCTION app.claim_unfinished_money(p_max integer)
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  -- One that Stripe has refused to fetch back for an hour: a person must look at it.
  select app.alert_operators('transfer_stuck', transfer_id, jsonb_build_object(
    'withdrawal_id', id, 'destination', destination, 'amount_cents', amount_cents, 'currency', currency))
  from public.wallet_withdrawals
  where check_at <= app.clock() and checks > 6 and status = 'FAILED' and transfer_id is not null;

  with topups as (
    update public.wallet_topups set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '6 hours')
    where id in (select id from public.wallet_topups where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  ), withdrawals as (
    update public.wallet_withdrawals set
      checks = least(checks + 1, 30), check_at = app.clock() + least(interval '1 minute' * power(2, checks), interval '1 hour')
    where id in (select id from public.wallet_withdrawals where check_at <= app.clock()
      order by check_at limit p_max for update skip locked)
    returning *
  )
  select jsonb_build_object(
    'topups', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'method', method, 'provider_txn_id', provider_txn_id, 'created_at', created_at,
      'expired', created_at < app.clock() - make_interval(mins => app.setting('topup_expiry_minutes')))) from topups), '[]'),
    'withdrawals', coalesce((select jsonb_agg(jsonb_build_object(
      'id', id, 'status', status, 'destination', destination, 'transfer_id', transfer_id,
      'provider_txn_id', provider_txn_id, 'payout_claimed_at', payout_claimed_at,
      'transfer_reversed', transfer_reversed_at is not null, 'created_at', created_at,
      'given_up', coalesce(payout_claimed_at, created_at)
        < app.clock() - make_interval(mins => app.setting('withdrawal_unknown_minutes')))) from withdrawals), '[]'))
$function$;

CREATE OR REPLACE FUNCTION app.clear_raffle(p_raffle_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select pg_advisory_xact_lock(hashtextextended('raffle ' || p_raffle_id, 0))
$function$;

CREATE OR REPLACE FUNCTION app.clock()
 RETURNS timestamp with time zone
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select clock_timestamp()
$function$;

CREATE OR REPLACE FUNCTION app.collect_debts(p_postings app.posting[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_account public.wallet_accounts;
  v_amount bigint;
begin
  for v_account in
    select * from public.wallet_accounts
    where id in (select account_id from unnest(p_postings)) and debt_cents > 0 and balance_cents > held_cents
    order by id
    for no key update
  loop
    v_amount := least(v_account.debt_cents, v_account.balance_cents - v_account.held_cents);
    update public.wallet_accounts set debt_cents = debt_cents - v_amount where id = v_account.id;
    perform app.post_transaction('DEBT', array[
      (v_account.id, -v_amount),
      (app.account_of('RECEIVABLE', v_account.currency, v_account.user_id), v_amount)
    ]::app.posting[], p_even_suspended => true);
  end loop;
end
$function$;

CREATE OR REPLACE FUNCTION app.complete_terms(p_raffle public.raffles)
 RETURNS public.raffles
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_category public.raffle_categories;
  v_prize public.prizes;
  v_gross numeric;
begin
  select * into v_category from public.raffle_categories where id = p_raffle.category_id;
  select * into strict v_prize from public.prizes where id = p_raffle.prize_id;
  p_raffle.title := coalesce(p_raffle.title, v_prize.title);
  p_raffle.description := coalesce(p_raffle.description, v_prize.description);
  p_raffle.lanes := coalesce(p_raffle.lanes, app.default_lanes(p_raffle.tickets_required));
  if v_category.id is not null then
    p_raffle.ticket_price_cents := v_category.ticket_price_cents;
    p_raffle.currency := v_category.currency;
    p_raffle.prize_per_winner_cents := v_category.prize_per_winner_cents;
  end if;
  -- Beyond what may be it is a fault, which find_faults names.
  v_gross := least(p_raffle.ticket_price_cents::numeric * p_raffle.tickets_required, 9007199254740991);
  p_raffle.rake_cents := coalesce(
    v_gross - v_category.prize_fund_cents,
    trunc(v_gross * coalesce(v_category.rake_bps, 0) / 10000));
  p_raffle.prize_fund_cents := v_gross - p_raffle.rake_cents;
  -- Places that are paid in money take nothing from stock, but the first prize there is.
  p_raffle.prizes_taken := case when p_raffle.prize_per_winner_cents is not null then 1
    else greatest(1, p_raffle.winners_count - (select count(*) from jsonb_array_elements(
      case jsonb_typeof(p_raffle.prize_tiers) when 'array' then p_raffle.prize_tiers else '[]' end) as tier
      where tier ? 'place')) end;
  return p_raffle;
end
$function$;

CREATE OR REPLACE FUNCTION app.complete_topup(p_topup public.wallet_topups, p_intent_id text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update public.wallet_topups
  set status = 'COMPLETED', completed_at = app.clock(), failure_code = null, intent_id = p_intent_id, check_at = null
  where id = p_topup.id;
  perform app.post_transaction('TOPUP', array[
    (p_topup.account_id, p_topup.amount_cents),
    (app.account_of('STRIPE_CLEARING', p_topup.currency), -p_topup.amount_cents)
  ]::app.posting[], p_topup_id => p_topup.id, p_external_id => p_intent_id);
  perform app.tell('topup_completed', p_topup.user_id, p_topup.id);
end
$function$;

CREATE OR REPLACE FUNCTION app.complete_withdrawal(p_withdrawal public.wallet_withdrawals)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_capture_id bigint;
begin
  if p_withdrawal.status <> 'PROCESSING' then
    return false;
  end if;
  v_capture_id := app.capture_hold(p_withdrawal.hold_id, app.account_of('WITHDRAWALS', p_withdrawal.currency),
    p_withdrawal.id, p_withdrawal.provider_txn_id);
  update public.wallet_withdrawals
  set status = 'COMPLETED', capture_id = v_capture_id, completed_at = app.clock(), failure_code = null,
    check_at = case when transfer_id is null then check_at end
  where id = p_withdrawal.id;
  perform app.tell('withdrawal_paid', p_withdrawal.user_id, p_withdrawal.id);
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.confirm_lottery_result(p_lottery_id uuid, p_draw_date date)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_entered integer;
  v_versions integer;
begin
  select count(*), count(distinct (winning_number, coalesce(series, ''))) into v_entered, v_versions
  from app.lottery_entries where lottery_id = p_lottery_id and draw_date = p_draw_date;
  if v_versions > 1 then
    perform app.alert_operators('lottery_disagreement', p_lottery_id || ' ' || p_draw_date, (
      select jsonb_agg(jsonb_build_object('source', source, 'operator_id', operator_id, 'winning_number', winning_number,
        'series', series) order by entered_at)
      from app.lottery_entries where lottery_id = p_lottery_id and draw_date = p_draw_date));
  elsif v_entered > 1 then
    insert into public.lottery_results (lottery_id, draw_date, winning_number, series)
    select lottery_id, draw_date, winning_number, series from app.lottery_entries
    where lottery_id = p_lottery_id and draw_date = p_draw_date limit 1;
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.confirm_purchase(p_purchase public.purchases, p_seats app.seats[], p_reserved boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
begin
  if p_reserved then
    perform app.pay_seats(p_purchase.raffle_id, p_seats);
  end if;
  perform app.fill_if_sold_out(p_purchase.raffle_id, p_seats);
  select * into strict v_raffle from public.raffles where id = p_purchase.raffle_id;
  update public.purchases
  set status = 'CONFIRMED', confirmed_at = app.clock(), failure_code = null, expires_at = null, check_at = null
  where id = p_purchase.id
  returning * into p_purchase;
  perform app.post_transaction('TICKET_PURCHASE', array[
    (app.account_of('STRIPE_CLEARING', p_purchase.currency), -p_purchase.amount_cents),
    (app.account_of('RAFFLE_ESCROW', p_purchase.currency, null, p_purchase.raffle_id), p_purchase.amount_cents)
  ]::app.posting[], p_purchase_id => p_purchase.id, p_raffle_id => p_purchase.raffle_id,
    p_external_id => p_purchase.provider_txn_id);
  if p_purchase.redeem then
    perform app.redeem_seats(p_purchase, v_raffle, null);
  end if;
  perform app.tell('purchase_confirmed', p_purchase.user_id, p_purchase.id);
end
$function$;

CREATE OR REPLACE FUNCTION app.cost_of(p_order app.purchase_order, p_raffle public.raffles)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_cents bigint;
begin
  if p_order.numbers is not null and p_raffle.numbering <> 'PICK' then
    perform app.fail_field('numbers', 'cannot be chosen in this raffle');
  end if;
  v_cents := p_order.quantity
    * app.price_for(p_raffle, p_order.user_id, p_order.type, p_order.quantity, p_order.ticket_id);
  if p_order.has_limits then
    perform app.within_spend_limits(p_order.user_id, p_raffle.currency, v_cents);
  end if;
  return v_cents;
end
$function$;

CREATE OR REPLACE FUNCTION app.count_taken(p_raffle_id uuid)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce(sum(end_num - start_num + 1 - fresh - returned), 0)::integer from app.raffle_lanes where raffle_id = p_raffle_id
$function$;
grant execute on function app.count_taken(p_raffle_id uuid) to anon;
grant execute on function app.count_taken(p_raffle_id uuid) to authenticated;
grant execute on function app.count_taken(p_raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.create_topup(p_amount_cents bigint, p_currency text, p_method public.payment_form)
 RETURNS public.wallet_topups
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.active_user();
  v_account_id bigint;
  v_topup public.wallet_topups;
begin
  perform app.require_currency(p_currency);
  if p_amount_cents is null
    or p_amount_cents not between app.setting('topup_minimum_cents') and app.setting('topup_maximum_cents')
  then
    perform app.fail_field('amount_cents', format('must be from %s to %s',
      app.setting('topup_minimum_cents'), app.setting('topup_maximum_cents')));
  end if;
  v_account_id := app.account_of('USER', p_currency, v_user_id);
  perform app.require_deposit(v_account_id, p_amount_cents);
  insert into public.wallet_topups (user_id, account_id, amount_cents, currency, method, check_at)
  values (v_user_id, v_account_id, p_amount_cents, p_currency, coalesce(p_method, 'checkout'), app.clock() + interval '2 minutes')
  returning * into v_topup;
  return v_topup;
end
$function$;

CREATE OR REPLACE FUNCTION app.create_withdrawal(p_amount_cents bigint, p_currency text)
 RETURNS public.wallet_withdrawals
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.active_user();
  v_profile public.profiles;
  v_account_id bigint;
  v_withdrawal public.wallet_withdrawals;
begin
  perform app.require_currency(p_currency);
  if p_amount_cents is null or p_amount_cents < app.setting('withdrawal_minimum_cents') then
    perform app.fail_field('amount_cents', format('must be at least %s', app.setting('withdrawal_minimum_cents')));
  end if;
  select * into strict v_profile from public.profiles where id = v_user_id;
  if v_profile.kyc_status <> 'VERIFIED' then
    perform app.fail('kyc_required');
  end if;
  if v_profile.payout_account is null then
    perform app.fail('payout_account_missing');
  end if;
  -- Who owes in one currency takes nothing out in another.
  if exists (select from public.wallet_accounts where user_id = v_user_id and debt_cents > 0) then
    perform app.fail('wallet_suspended');
  end if;
  v_account_id := app.account_of('USER', p_currency, v_user_id);
  insert into public.wallet_withdrawals (user_id, account_id, hold_id, amount_cents, currency, destination, check_at)
  values (v_user_id, v_account_id, app.place_hold(v_account_id, p_amount_cents, 'WITHDRAWAL'), p_amount_cents,
    p_currency, v_profile.payout_account, app.clock() + interval '2 minutes')
  returning * into v_withdrawal;
  return v_withdrawal;
end
$function$;

CREATE OR REPLACE FUNCTION app.cron_field_names(p_field text, p_value integer, p_low integer, p_high integer)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select bool_or(p_value between first and last and (p_value - first) % step = 0)
  from unnest(string_to_array(p_field, ',')) as part,
    regexp_match(part, '^(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?$') as m,
    lateral (select
      coalesce(m[1]::integer, p_low) as first,
      coalesce(m[2]::integer, case when m[1] is null or m[3] is not null then p_high else m[1]::integer end) as last,
      coalesce(m[3]::integer, 1) as step) as range
$function$;

CREATE OR REPLACE FUNCTION app.decimal_of(p_cents bigint, p_currency text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select round(p_cents / 10::numeric ^ minor_units, minor_units)::text from public.currencies where code = p_currency
$function$;

CREATE OR REPLACE FUNCTION app.decline_code(p_intent jsonb, p_type text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select coalesce(p_intent -> 'last_payment_error' ->> 'decline_code', p_intent -> 'last_payment_error' ->> 'code', 'payment_failed')
  where p_intent ->> 'status' <> 'succeeded' and (p_type = 'payment_intent.payment_failed'
    or p_intent ->> 'status' = 'requires_payment_method' and p_intent -> 'last_payment_error' ->> 'code' is not null)
$function$;

CREATE OR REPLACE FUNCTION app.default_lanes(p_seats integer)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case when p_seats < 1000 then 1 when p_seats < 10000 then 4 when p_seats < 100000 then 8 else 16 end
$function$;

CREATE OR REPLACE FUNCTION app.describe_account()
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'profile', jsonb_build_object(
      'id', p.id, 'display_name', p.display_name, 'phone', p.phone, 'country', p.country,
      'birth_date', p.birth_date, 'locale', p.locale, 'preferences', p.preferences,
      'kyc_status', p.kyc_status, 'status', p.status, 'created_at', p.created_at),
    'roles', '["player"]'::jsonb || coalesce(
      (select jsonb_agg(role order by role) from public.user_roles where user_id = p.id), '[]'),
    'limits', coalesce((
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'kind', kind, 'period', period, 'currency', currency,
        'amount_cents', app.limit_in_force(l),
        'pending', case when pending_from > app.clock() then jsonb_build_object(
          'amount_cents', pending_amount_cents, 'effective_at', pending_from) end
      )) order by kind, period, currency)
      from public.play_limits l where user_id = p.id), '[]'),
    'self_excluded_until', case when p.self_excluded_until > app.clock() then p.self_excluded_until end
  )
  from public.profiles p where p.id = app.signed_in_user()
$function$;
grant execute on function app.describe_account() to authenticated;

CREATE OR REPLACE FUNCTION app.describe_cancellation(p_raffle_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'raffle_id', p_raffle_id,
    'people', count(distinct user_id),
    'purchases', count(*),
    'tickets', coalesce(sum(quantity), 0),
    'amount_cents', coalesce(sum(amount_cents), 0),
    'currency', (select currency from public.raffles where id = p_raffle_id))
  from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED'
$function$;

CREATE OR REPLACE FUNCTION app.describe_draw(p_raffle_id uuid, p_skip integer, p_page_size integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_draw public.draws := app.sealed_draw(p_raffle_id);
begin
  return app.describe_seal(v_draw) || (
      select jsonb_build_object('state', state, 'winners_count', winners_count) from public.raffles where id = p_raffle_id)
    || jsonb_build_object('algorithm', 'rafflebase-draw-v1', 'raffle_id', p_raffle_id,
    'tickets', coalesce((
      select jsonb_agg(jsonb_build_object('ticket_num', t.ticket_num, 'holder', encode(app.holder_of(t), 'hex')) order by t.ticket_num)
      from (
        select * from public.tickets where raffle_id = p_raffle_id
        order by ticket_num offset p_skip limit least(p_page_size, 10000)
      ) t), '[]'));
end
$function$;
grant execute on function app.describe_draw(p_raffle_id uuid, p_skip integer, p_page_size integer) to anon;
grant execute on function app.describe_draw(p_raffle_id uuid, p_skip integer, p_page_size integer) to authenticated;
grant execute on function app.describe_draw(p_raffle_id uuid, p_skip integer, p_page_size integer) to service_role;

CREATE OR REPLACE FUNCTION app.describe_person(p_user_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object('id', p.id, 'email', u.email, 'name', p.display_name, 'phone', p.phone, 'locale', p.locale,
    'channels', case jsonb_typeof(p.preferences -> 'channels') when 'object' then p.preferences -> 'channels' else '{}' end)
  from public.profiles p join auth.users u on u.id = p.id where p.id = p_user_id
$function$;

CREATE OR REPLACE FUNCTION app.describe_purchase(p_purchase public.purchases)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object(
    'id', p_purchase.id, 'raffle_id', p_purchase.raffle_id, 'type', p_purchase.type, 'status', p_purchase.status,
    'quantity', p_purchase.quantity, 'amount_cents', p_purchase.amount_cents, 'currency', p_purchase.currency,
    'payment_method', p_purchase.payment_method, 'redeemed', p_purchase.redeemed,
    'failure_code', p_purchase.failure_code, 'expires_at', p_purchase.expires_at, 'created_at', p_purchase.created_at);
end
$function$;

CREATE OR REPLACE FUNCTION app.describe_raffle(p_raffle public.raffles, p_whole boolean)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'id', p_raffle.id, 'title', coalesce(p_raffle.title, p.title), 'description', coalesce(p_raffle.description, p.description),
    'state', p_raffle.state,
    'prize', jsonb_build_object('id', p.id, 'title', p.title, 'value_cents', p.value_cents, 'currency', p.currency,
      'image_urls', p.image_urls),
    'ticket_price_cents', p_raffle.ticket_price_cents, 'currency', p_raffle.currency,
    'tickets_required', p_raffle.tickets_required, 'tickets_sold', taken,
    'tickets_remaining', p_raffle.tickets_required - taken,
    'max_per_user', p_raffle.max_per_user, 'numbering', p_raffle.numbering, 'winners_count', p_raffle.winners_count,
    'draw_method', p_raffle.draw_method, 'opens_at', p_raffle.opens_at, 'closes_at', p_raffle.closes_at)
  || case when c.id is null then '{}' else jsonb_build_object('category', jsonb_build_object(
      'id', c.id, 'name', c.name, 'color', c.color)) end
  || case when not p_whole then '{}' else jsonb_build_object(
    'terms', jsonb_build_object(
      'min_tickets', p_raffle.min_tickets, 'prize_tiers', p_raffle.prize_tiers, 'rake_cents', p_raffle.rake_cents,
      'prize_fund_cents', p_raffle.prize_fund_cents, 'prize_per_winner_cents', p_raffle.prize_per_winner_cents,
      'boost_price_cents', p_raffle.boost_price_cents, 'boost_limit', p_raffle.boost_limit,
      'retry_of', p_raffle.retry_of, 'retry_price_cents', p_raffle.retry_price_cents,
      'lottery_id', p_raffle.lottery_id, 'lottery_draw_date', p_raffle.lottery_draw_date, 'unsold_rule', p_raffle.unsold_rule),
    'cancel_reason', p_raffle.cancel_reason)
    || coalesce((select jsonb_build_object('draw', app.describe_seal(d)) from public.draws d where raffle_id = p_raffle.id), '{}') end
  from public.prizes p
  left join public.raffle_categories c on c.id = p_raffle.category_id
  cross join lateral (select app.count_taken(p_raffle.id) as taken) counted
  where p.id = p_raffle.prize_id
$function$;

CREATE OR REPLACE FUNCTION app.describe_seal(p_draw public.draws)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'ticket_count', p_draw.ticket_count, 'ticket_root', p_draw.ticket_root, 'sealed_at', p_draw.sealed_at,
    'beacon', case when p_draw.round is not null then jsonb_strip_nulls(jsonb_build_object(
      'chain_hash', p_draw.chain_hash, 'round', p_draw.round, 'signature', p_draw.signature, 'randomness', p_draw.randomness)) end,
    'winners', coalesce((
      select jsonb_agg(jsonb_build_object('place', place, 'ticket_num', ticket_num) order by place)
      from public.winners where raffle_id = p_draw.raffle_id), '[]'))
  || coalesce((
    select jsonb_build_object('lottery', jsonb_agg(jsonb_build_object(
      'lottery_id', lottery_id, 'draw_date', draw_date, 'winning_number', winning_number) order by draw_date))
    from public.lottery_draws where raffle_id = p_draw.raffle_id having count(*) > 0), '{}')
$function$;

CREATE OR REPLACE FUNCTION app.describe_state(p_raffle_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_state public.raffle_state := (select state from public.raffles where id = p_raffle_id and published_at is not null);
begin
  if v_state is null then
    perform app.fail('raffle_not_found');
  end if;
  return jsonb_build_object('raffle', jsonb_build_object('id', p_raffle_id, 'state', v_state))
    || coalesce((select jsonb_build_object('draw', app.describe_seal(d)) from public.draws d where raffle_id = p_raffle_id), '{}');
end
$function$;
grant execute on function app.describe_state(p_raffle_id uuid) to anon;
grant execute on function app.describe_state(p_raffle_id uuid) to authenticated;
grant execute on function app.describe_state(p_raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.describe_tickets(p_purchase public.purchases)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object('id', id, 'ticket_num', ticket_num)
    || case when voided_at is null then '{}' else '{"voided":true}'::jsonb end order by ticket_num), '[]')
  from public.tickets where user_id = p_purchase.user_id and purchase_id = p_purchase.id
$function$;

CREATE OR REPLACE FUNCTION app.describe_topup(p_topup public.wallet_topups)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'id', p_topup.id, 'status', p_topup.status, 'amount_cents', p_topup.amount_cents,
    'currency', p_topup.currency, 'method', p_topup.method, 'failure_code', p_topup.failure_code,
    'created_at', p_topup.created_at, 'completed_at', p_topup.completed_at)
$function$;

CREATE OR REPLACE FUNCTION app.describe_wallet(p_account_id bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return (
    select jsonb_build_object('balance_cents', balance_cents, 'available_cents', balance_cents - held_cents, 'currency', currency)
    from public.wallet_accounts where id = p_account_id);
end
$function$;

CREATE OR REPLACE FUNCTION app.describe_withdrawal(p_withdrawal public.wallet_withdrawals)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'id', p_withdrawal.id, 'status', p_withdrawal.status, 'amount_cents', p_withdrawal.amount_cents,
    'currency', p_withdrawal.currency, 'failure_code', p_withdrawal.failure_code,
    'created_at', p_withdrawal.created_at, 'completed_at', p_withdrawal.completed_at)
$function$;

CREATE OR REPLACE FUNCTION app.draw_by_lottery(p_raffle_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
  v_draw public.lottery_draws;
  v_number text;
  v_is_sold boolean;
begin
  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  select * into v_draw from public.lottery_draws where raffle_id = p_raffle_id and winning_number is null;
  select winning_number into v_number from public.lottery_results
  where lottery_id = v_draw.lottery_id and draw_date = v_draw.draw_date;
  if v_number is null or v_raffle.state is distinct from 'CLOSED' then
    return false;
  end if;
  update public.lottery_draws set winning_number = v_number where raffle_id = p_raffle_id and draw_date = v_draw.draw_date;
  v_is_sold := exists (select from public.tickets where raffle_id = p_raffle_id and ticket_num = v_number::integer);
  if not v_is_sold and v_raffle.unsold_rule = 'NEXT_DRAW' then
    perform from public.lotteries where id = v_draw.lottery_id for share; -- its calendar stays as it is looked at
    perform app.await_lottery(v_raffle, app.next_lottery_date(v_draw.lottery_id, v_draw.draw_date));
    return false;
  elsif not v_is_sold and v_raffle.unsold_rule = 'REFUND' then
    perform app.stop_raffle(p_raffle_id, 'The winning number ' || v_number || ' was not sold.', 'number_not_sold');
    perform app.refund_purchases(p_raffle_id);
    return false;
  end if;
  perform app.record_lottery_winners(v_raffle, v_number::integer);
  update public.draws set drawn_at = clock_timestamp() where raffle_id = p_raffle_id;
  update public.raffles set state = 'DRAWN' where id = p_raffle_id;
  return true;
end
$function$;
grant execute on function app.draw_by_lottery(p_raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.draw_is_near(p_raffle_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return exists (
    select from public.draws where raffle_id = p_raffle_id and round_at < clock_timestamp() + interval '10 seconds')
    or exists (
      select from public.lottery_draws where raffle_id = p_raffle_id and winning_number is null
        and app.lottery_moment(lottery_id, draw_date) < clock_timestamp() + interval '10 seconds');
end
$function$;

CREATE OR REPLACE FUNCTION app.draw_raffle(p_raffle_id uuid, p_round bigint, p_signature text, p_randomness text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
  v_draw public.draws;
begin
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  select * into v_draw from public.draws where raffle_id = p_raffle_id for update;
  if v_raffle.id is null then
    perform app.fail('raffle_not_found');
  elsif v_draw.round is null then
    perform app.fail('raffle_not_sealed');
  elsif v_raffle.state <> 'CLOSED' then
    return false;
  end if;
  if p_round is distinct from v_draw.round or v_draw.round_at > clock_timestamp()
    or coalesce(p_signature, '') !~ '^[0-9a-f]{96}$'
    or p_randomness is distinct from encode(sha256(decode(p_signature, 'hex')), 'hex')
  then
    perform app.fail('beacon_invalid');
  end if;
  update public.draws set signature = p_signature, randomness = p_randomness, drawn_at = clock_timestamp()
  where raffle_id = p_raffle_id;
  perform app.record_winners(p_raffle_id, 1, v_raffle.winners_count);
  update public.raffles set state = 'DRAWN' where id = p_raffle_id;
  return true;
end
$function$;
grant execute on function app.draw_raffle(p_raffle_id uuid, p_round bigint, p_signature text, p_randomness text) to service_role;

CREATE OR REPLACE FUNCTION app.drawn_numbers(p_raffle_id uuid, p_places integer)
 RETURNS integer[]
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_draw public.draws;
  v_numbers integer[] := array(
    select ticket_num from public.tickets where raffle_id = p_raffle_id order by ticket_num);
begin
  select * into strict v_draw from public.draws where raffle_id = p_raffle_id;
  return array(
    select v_numbers[position + 1]
    from unnest(app.rank_tickets(
      app.seed_of(p_raffle_id, decode(v_draw.ticket_root, 'hex'), v_draw.round, decode(v_draw.randomness, 'hex')),
      cardinality(v_numbers), p_places)) with ordinality as ranking (position, place)
    order by place);
end
$function$;

CREATE OR REPLACE FUNCTION app.draws_are_due()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return exists (select from app.due_raffles(1)) or exists (select from app.due_lotteries(1))
    or exists (select from public.draws d join public.raffles r on r.id = d.raffle_id
      where r.state = 'CLOSED' and d.randomness is null and d.round_at <= clock_timestamp())
    or exists (select from public.raffles where state = 'DRAWN');
end
$function$;

CREATE OR REPLACE FUNCTION app.due_draws(p_raffle_id uuid, p_max integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with sealed as (
    select d.raffle_id, d.chain_hash, d.round, d.round_at from public.draws d join public.raffles r on r.id = d.raffle_id
    where r.state = 'CLOSED' and d.round is not null and (p_raffle_id is null or d.raffle_id = p_raffle_id)
    -- Those whose round is out come in any order: what cannot be drawn keeps nobody for ever.
    order by d.round_at > clock_timestamp(), random() limit p_max
  )
  select jsonb_build_object(
    'seal', coalesce((select jsonb_agg(id) from app.due_raffles(p_max, p_raffle_id) as id), '[]'),
    'waiting', coalesce((select jsonb_agg(jsonb_build_object(
      'raffle_id', raffle_id, 'chain_hash', chain_hash, 'round', round, 'expected_at', round_at,
      'is_out', round_at <= clock_timestamp()) order by round_at, raffle_id) from sealed), '[]'),
    'lottery', coalesce((select jsonb_agg(id) from app.due_lotteries(p_max, p_raffle_id) as id), '[]'),
    'settle', coalesce((select jsonb_agg(id) from (
      select id from public.raffles where state = 'DRAWN' and (p_raffle_id is null or id = p_raffle_id) order by id limit p_max) drawn), '[]'))
$function$;
grant execute on function app.due_draws(p_raffle_id uuid, p_max integer) to service_role;

CREATE OR REPLACE FUNCTION app.due_lotteries(p_max integer, p_raffle_id uuid DEFAULT NULL::uuid)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select d.raffle_id from public.lottery_draws d
  join public.lottery_results r on r.lottery_id = d.lottery_id and r.draw_date = d.draw_date
  join public.raffles on raffles.id = d.raffle_id and raffles.state = 'CLOSED'
  where d.winning_number is null and (p_raffle_id is null or d.raffle_id = p_raffle_id)
  order by d.draw_date, d.raffle_id limit p_max
$function$;

CREATE OR REPLACE FUNCTION app.due_raffles(p_max integer, p_raffle_id uuid DEFAULT NULL::uuid)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select id from public.raffles
  where (state = 'FULL' or state = 'OPEN' and closes_at <= clock_timestamp()) and (p_raffle_id is null or id = p_raffle_id)
  order by closes_at, id limit p_max
$function$;

CREATE OR REPLACE FUNCTION app.duplicate_raffle(p_raffle_id uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := app.clock();
  v_copy public.raffles;
begin
  perform app.require_role('operator');
  select * into v_copy from public.raffles where id = p_raffle_id;
  if not found then
    perform app.fail('raffle_not_found');
  end if;
  insert into public.raffles (
    prize_id, category_id, title, description, ticket_price_cents, currency, tickets_required, min_tickets,
    max_per_user, numbering, winners_count, prize_tiers, draw_method, lottery_id, lottery_draw_date, unsold_rule,
    opens_at, closes_at, lanes, boost_price_cents, boost_limit, retry_of, retry_price_cents)
  values (
    v_copy.prize_id, v_copy.category_id, v_copy.title, v_copy.description, v_copy.ticket_price_cents, v_copy.currency,
    v_copy.tickets_required, v_copy.min_tickets, v_copy.max_per_user, v_copy.numbering, v_copy.winners_count,
    v_copy.prize_tiers, v_copy.draw_method, v_copy.lottery_id, v_copy.lottery_draw_date, v_copy.unsold_rule,
    v_now, v_now + (v_copy.closes_at - v_copy.opens_at), v_copy.lanes, v_copy.boost_price_cents,
    v_copy.boost_limit, v_copy.retry_of, v_copy.retry_price_cents)
  returning * into v_copy;
  return v_copy.id;
end
$function$;
grant execute on function app.duplicate_raffle(p_raffle_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.end_notifications(p_ids uuid[], p_status public.notification_status)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_event record;
  v_ended bigint := 0;
begin
  for v_event in
    with ended as (
      update public.notifications set status = p_status, due_at = null, ended_at = clock_timestamp()
      where id = any (p_ids) and status = 'QUEUED'
      returning event, failure
    )
    select event, count(*) as times, max(failure) as failure from ended group by event
  loop
    v_ended := v_ended + v_event.times;
    if p_status = 'DEAD' then
      perform app.alert_operators('notifications_given_up', v_event.event, jsonb_build_object(
        'times', v_event.times, 'failure', v_event.failure));
    end if;
  end loop;
  return v_ended;
end
$function$;

CREATE OR REPLACE FUNCTION app.end_reservation(p_purchase public.purchases, p_status public.purchase_status, p_code text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_seats app.seats[] := app.seats_of(p_purchase.id);
begin
  perform app.return_seats(p_purchase.raffle_id, v_seats);
  delete from app.reservations where purchase_id = p_purchase.id;
  delete from app.number_claims where purchase_id = p_purchase.id;
  update public.purchases set status = p_status, failure_code = coalesce(failure_code, p_code),
    check_at = app.clock()
  where id = p_purchase.id;
  perform app.tell('purchase_' || lower(p_status::text), p_purchase.user_id, p_purchase.id);
end
$function$;

CREATE OR REPLACE FUNCTION app.end_sales(p_raffle public.raffles)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
begin
  for v_purchase in
    select * from public.purchases where raffle_id = p_raffle.id and status = 'PENDING' order by id for update
  loop
    perform app.end_reservation(v_purchase, 'EXPIRED', 'raffle_not_open');
  end loop;
  for v_purchase in
    select * from public.purchases where raffle_id = p_raffle.id and status = 'CONFIRMED' and not redeemed order by id for update
  loop
    perform app.redeem_seats(v_purchase, p_raffle, null);
  end loop;
  update app.raffle_lanes set open = false where raffle_id = p_raffle.id;
end
$function$;

CREATE OR REPLACE FUNCTION app.end_topup(p_topup public.wallet_topups, p_status public.payment_status, p_code text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_topup.status in ('COMPLETED', 'CANCELLED', p_status) then
    return false;
  end if;
  update public.wallet_topups set status = p_status, failure_code = p_code,
    -- A failed payment can still be paid with another card; a session that is over cannot.
    check_at = case when p_status = 'FAILED' and method = 'payment_intent' then check_at end
  where id = p_topup.id;
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.enforce_birth_date_lock()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if new.birth_date > (app.clock() at time zone 'utc')::date then
    perform app.fail_field('birth_date', 'must not be in the future');
  end if;
  if old.birth_date is not null and new.birth_date is distinct from old.birth_date
    and auth.uid() is not null and (new.id = auth.uid() or not app.has_role('operator'))
  then
    perform app.fail('birth_date_locked');
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.enforce_frozen_prize()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  begin
    perform from app.raffle_lanes l join public.raffles r on r.id = l.raffle_id
    where r.prize_id = old.id and r.state <> 'CANCELLED'
    order by l.raffle_id, l.lane_no for update of l nowait;
  exception when lock_not_available then
    -- A sale is under way, or a cancellation, which needs the prize's row that is locked already.
    perform app.fail('prize_frozen');
  end;
  if exists (select from app.raffle_lanes l join public.raffles r on r.id = l.raffle_id
    where r.prize_id = old.id and r.state <> 'CANCELLED' and l.fresh <= l.end_num - l.start_num)
  then
    perform app.fail('prize_frozen');
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.enforce_frozen_terms()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  begin
    perform from app.raffle_lanes where raffle_id = old.id order by lane_no for update nowait;
  exception when lock_not_available then
    -- A sale is under way. The raffle's row is locked already, and that sale may need it to make it FULL.
    perform app.fail('raffle_terms_frozen');
  end;
  if old.state <> 'OPEN' or new.state <> 'OPEN'
    or exists (select from app.raffle_lanes where raffle_id = old.id and fresh <= end_num - start_num)
  then
    perform app.fail('raffle_terms_frozen');
  end if;
  new := app.complete_terms(new);
  perform from public.lotteries where id = new.lottery_id for share;
  perform app.require_sound_terms(new);
  if (new.prize_id, new.prizes_taken) is distinct from (old.prize_id, old.prizes_taken) then
    perform app.fail('raffle_terms_frozen'); -- the prizes are out of stock already
  end if;
  delete from app.raffle_lanes where raffle_id = old.id;
  perform app.make_lanes(old.id, new.tickets_required, new.lanes);
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.enforce_issued_ticket()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception 'tickets are never changed or deleted' using errcode = 'insufficient_privilege';
end
$function$;

CREATE OR REPLACE FUNCTION app.enforce_sealed_draw()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception 'a sealed draw is never changed' using errcode = 'insufficient_privilege';
end
$function$;

CREATE OR REPLACE FUNCTION app.enforce_state_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_column text := coalesce(tg_argv[0], 'status');
  v_from text := to_jsonb(old) ->> v_column;
  v_to text := to_jsonb(new) ->> v_column;
begin
  if not exists (
    select from app.state_changes where subject = tg_table_name and from_state = v_from and to_state = v_to
  ) then
    perform app.fail('state_change_refused', jsonb_build_object('from', v_from, 'to', v_to));
  end if;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.enter_lottery_result(p_lottery_id uuid, p_draw_date date, p_winning_number text, p_series text, p_source app.lottery_source, p_operator_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_lottery public.lotteries;
  v_moment timestamptz := app.lottery_moment(p_lottery_id, p_draw_date);
begin
  select * into v_lottery from public.lotteries where id = p_lottery_id for no key update;
  if not found then
    perform app.fail('lottery_not_found');
  elsif v_moment is null or v_moment > clock_timestamp() then
    perform app.fail_field('draw_date', 'must be a date on which this lottery has drawn');
  elsif coalesce(p_winning_number, '') !~ ('^[0-9]{' || v_lottery.digits || '}$') then
    perform app.fail_field('winning_number', 'must have ' || v_lottery.digits || ' figures');
  elsif length(p_series) not between 1 and 20 then
    perform app.fail_field('series', 'must have from 1 to 20 characters');
  end if;
  if not exists (select from public.lottery_results where lottery_id = p_lottery_id and draw_date = p_draw_date) then
    insert into app.lottery_entries (lottery_id, draw_date, source, operator_id, winning_number, series)
    values (p_lottery_id, p_draw_date, p_source, p_operator_id, p_winning_number, p_series)
    on conflict on constraint lottery_entries_once do update set
      winning_number = excluded.winning_number, series = excluded.series, entered_at = clock_timestamp();
    perform app.confirm_lottery_result(p_lottery_id, p_draw_date);
  end if;
  return jsonb_build_object('lottery_id', p_lottery_id, 'draw_date', p_draw_date, 'confirmed', (
    select to_jsonb(r) from public.lottery_results r where lottery_id = p_lottery_id and draw_date = p_draw_date));
end
$function$;
grant execute on function app.enter_lottery_result(p_lottery_id uuid, p_draw_date date, p_winning_number text, p_series text, p_source app.lottery_source, p_operator_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.enter_raffle(p_raffle_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select pg_advisory_xact_lock_shared(hashtextextended('raffle ' || p_raffle_id, 0))
$function$;

CREATE OR REPLACE FUNCTION app.event_for(p_row app.outbox, p_user_id uuid)
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_row.event <> 'raffle_drawn' then
    return p_row.event;
  end if;
  return case when exists (
    select from public.winners w join public.tickets t using (raffle_id, ticket_num)
    where w.raffle_id = p_row.subject_id and t.user_id = p_user_id) then 'won' else 'not_won' end;
end
$function$;

CREATE OR REPLACE FUNCTION app.exclude_self(p_until timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
begin
  if p_until is null or p_until not between app.clock() and app.clock() + interval '100 years' then
    perform app.fail_field('until', 'must be within the next hundred years');
  end if;
  perform app.take_turn(v_user_id);
  update public.profiles set self_excluded_until = p_until
  where id = v_user_id and (self_excluded_until is null or self_excluded_until <= p_until);
  if not found then
    perform app.fail('self_exclusion_locked');
  end if;
  perform app.tell('self_excluded', v_user_id, null, jsonb_build_object('until', p_until));
end
$function$;
grant execute on function app.exclude_self(p_until timestamp with time zone) to authenticated;

CREATE OR REPLACE FUNCTION app.expire_holds()
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_hold_id bigint;
  v_count bigint := 0;
begin
  for v_hold_id in
    select id from public.wallet_holds
    where status = 'ACTIVE' and expires_at <= app.clock()
    order by account_id, id limit 1000
    for update skip locked
  loop
    perform app.release_hold(v_hold_id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$function$;

CREATE OR REPLACE FUNCTION app.expire_purchases()
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
  v_purchases public.purchases[];
  v_raffle_id uuid;
  v_count bigint := 0;
begin
  for v_raffle_id in
    select distinct raffle_id from public.purchases where status = 'PENDING' and expires_at <= app.clock()
    order by raffle_id limit 1000
  loop
    perform app.enter_raffle(v_raffle_id);
    -- All of them, then their lanes in order: one after another they would come in the order of purchases.
    v_purchases := array(select p from public.purchases p
      where raffle_id = v_raffle_id and status = 'PENDING' and expires_at <= app.clock()
      order by id limit 1000 for update skip locked);
    perform from app.raffle_lanes where raffle_id = v_raffle_id order by lane_no for update;
    foreach v_purchase in array v_purchases loop
      perform app.end_reservation(v_purchase, 'EXPIRED', 'expired');
      v_count := v_count + 1;
    end loop;
  end loop;
  return v_count;
end
$function$;

CREATE OR REPLACE FUNCTION app.facts_of(p_notification public.notifications)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_event text := p_notification.event;
  v_id uuid := p_notification.subject_id;
  v_details jsonb := p_notification.details;
begin
  return case
    when v_event like 'purchase\_%' or v_event = 'refund_to_wallet' then app.facts_of_purchase(v_event, v_id)
    when v_event like 'prize\_%' then app.facts_of_prize(v_event, v_id, v_details)
    when v_event like 'raffle\_%' or v_event in ('won', 'not_won') then
      app.facts_of_raffle(v_event, v_id, p_notification.user_id)
    when v_event like 'withdrawal\_%' then app.facts_of_withdrawal(v_event, v_id)
    when v_event = 'topup_completed' then (
      select app.money_of(amount_cents, currency) || jsonb_build_object('topup_id', id) from public.wallet_topups where id = v_id)
    when v_event = 'operator_alert' then (
      select jsonb_build_object('alert_id', id, 'kind', kind, 'subject', subject) from public.operator_alerts
      where id = (v_details ->> 'alert_id')::bigint and resolved_at is null)
    when v_event = 'welcome' then (
      select jsonb_build_object('name', display_name) from public.profiles where id = p_notification.user_id)
    else coalesce(v_details, '{}') end;
end
$function$;

CREATE OR REPLACE FUNCTION app.facts_of_prize(p_event text, p_raffle_id uuid, p_details jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.name_raffle(c.raffle_id)
    || jsonb_build_object('place', c.place, 'prize_title', (
      select p.title from public.prizes p join public.raffles r on r.prize_id = p.id where r.id = c.raffle_id))
    || case p_event
      when 'prize_sent' then p_details - 'place'
      else jsonb_build_object('ticket_num', w.ticket_num, 'claim_until', c.claim_until) end
  from public.prize_claims c join public.winners w using (raffle_id, place)
  -- Who has claimed it meanwhile need not be asked to.
  where c.raffle_id = p_raffle_id and c.place = (p_details ->> 'place')::integer and (p_event = 'prize_sent' or c.status = 'OFFERED')
$function$;

CREATE OR REPLACE FUNCTION app.facts_of_purchase(p_event text, p_purchase_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.name_raffle(b.raffle_id) || app.money_of(b.amount_cents, b.currency)
    || jsonb_build_object('purchase_id', b.id, 'quantity', b.quantity)
    || case p_event
      when 'purchase_confirmed' then jsonb_build_object(
        'type', b.type, 'payment_method', b.payment_method, 'confirmed_at', b.confirmed_at,
        'numbers', app.numbers_held(b.raffle_id, b.user_id, b.id),
        'ticket_root', (select ticket_root from public.draws where raffle_id = b.raffle_id))
      when 'purchase_refunded' then jsonb_build_object(
        'code', b.failure_code, 'numbers', app.numbers_held(b.raffle_id, b.user_id, b.id),
        'to', case b.failure_code when 'paid_too_late' then 'card' else 'wallet' end)
      else jsonb_build_object('code', b.failure_code) end
  from public.purchases b where b.id = p_purchase_id
$function$;

CREATE OR REPLACE FUNCTION app.facts_of_raffle(p_event text, p_raffle_id uuid, p_user_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.name_raffle(r.id) || case p_event
    when 'raffle_full' then jsonb_build_object('tickets_required', r.tickets_required)
    when 'raffle_cancelled' then jsonb_build_object('reason', r.cancel_reason, 'code', r.cancel_code) || (
      select app.money_of(sum(amount_cents)::bigint, r.currency) from public.purchases
      where raffle_id = r.id and user_id = p_user_id and confirmed_at is not null)
    when 'raffle_sealed' then (
      select jsonb_build_object('ticket_count', d.ticket_count, 'ticket_root', d.ticket_root,
        'numbers', app.numbers_held(r.id, p_user_id), 'chain_hash', d.chain_hash, 'round', d.round, 'round_at', d.round_at,
        'lottery', (select name from public.lotteries where id = r.lottery_id), 'lottery_draw_date', r.lottery_draw_date)
      from public.draws d where d.raffle_id = r.id)
    when 'won' then jsonb_build_object('currency', r.currency,
      'prize_title', (select title from public.prizes where id = r.prize_id),
      'wins', (
        select jsonb_agg(jsonb_build_object('place', w.place, 'ticket_num', w.ticket_num, 'amount_cents', w.amount_cents,
          'amount', app.decimal_of(w.amount_cents, r.currency)) order by w.place)
        from public.winners w join public.tickets t using (raffle_id, ticket_num)
        where w.raffle_id = r.id and t.user_id = p_user_id))
    when 'not_won' then jsonb_build_object('winning_numbers', coalesce((
      select jsonb_agg(ticket_num order by place) from (
        select ticket_num, place from public.winners where raffle_id = r.id order by place limit 10) first), '[]'))
    end
  from public.raffles r where r.id = p_raffle_id
$function$;

CREATE OR REPLACE FUNCTION app.facts_of_withdrawal(p_event text, p_withdrawal_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.money_of(amount_cents, currency) || jsonb_build_object('withdrawal_id', id)
    || case p_event when 'withdrawal_failed' then jsonb_build_object('code', failure_code) else '{}' end
  from public.wallet_withdrawals where id = p_withdrawal_id
$function$;

CREATE OR REPLACE FUNCTION app.fail(p_code text, p_context jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_status smallint := (select status from app.error_codes where code = p_code);
begin
  if v_status is null then
    raise exception 'app.fail: unknown error code %', p_code;
  end if;
  raise exception using
    errcode = 'PT' || v_status,
    message = p_code,
    detail = coalesce(p_context::text, '');
end
$function$;
grant execute on function app.fail(p_code text, p_context jsonb) to anon;
grant execute on function app.fail(p_code text, p_context jsonb) to authenticated;
grant execute on function app.fail(p_code text, p_context jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.fail_field(p_path text, p_message text)
 RETURNS void
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select app.fail('request_invalid', jsonb_build_object('issues', jsonb_build_array(
    jsonb_build_object('path', p_path, 'message', p_message))))
$function$;

CREATE OR REPLACE FUNCTION app.fail_withdrawal(p_withdrawal public.wallet_withdrawals, p_code text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_withdrawal.status not in ('PROCESSING', 'COMPLETED') then
    return false;
  end if;
  if p_withdrawal.capture_id is null then
    perform app.release_hold(p_withdrawal.hold_id);
  else
    perform app.reverse_transaction(p_withdrawal.capture_id, p_code);
  end if;
  update public.wallet_withdrawals
  set status = 'FAILED', failure_code = p_code, completed_at = null, failed_at = app.clock(),
    check_at = case when transfer_id is not null and transfer_reversed_at is null then app.clock() end
  where id = p_withdrawal.id;
  perform app.tell('withdrawal_failed', p_withdrawal.user_id, p_withdrawal.id);
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.failing_jobs()
 RETURNS text[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select array(select name from public.jobs
    where failures > 2 or failures > 0 and next_run_at > clock_timestamp() + interval '5 minutes' order by name)
$function$;

CREATE OR REPLACE FUNCTION app.fair_words(p_below integer, p_words numeric DEFAULT '18446744073709551616'::numeric)
 RETURNS numeric
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return p_words - p_words % p_below;
end
$function$;

CREATE OR REPLACE FUNCTION app.fill_if_sold_out(p_raffle_id uuid, p_seats app.seats[])
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if exists (select from app.raffle_lanes where raffle_id = p_raffle_id
    and lane_no in (select lane_no from unnest(p_seats)) and (fresh > 0 or returned > 0 or unpaid > 0))
  then
    return false;
  end if;
  perform from public.raffles where id = p_raffle_id for no key update;
  update public.raffles set state = 'FULL'
  where id = p_raffle_id and state = 'OPEN' and not exists (
    select from app.raffle_lanes
    where raffle_id = p_raffle_id and (fresh > 0 or returned > 0 or unpaid > 0));
  if not found then
    return false;
  end if;
  perform app.tell('raffle_full', null, p_raffle_id);
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.find_account(p_kind public.account_kind, p_currency text, p_user_id uuid, p_raffle_id uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_user_id is not null then
    return (select id from public.wallet_accounts where user_id = p_user_id and currency = p_currency and kind = p_kind);
  elsif p_raffle_id is not null then
    return (select id from public.wallet_accounts where raffle_id = p_raffle_id and currency = p_currency);
  end if;
  return (select id from public.wallet_accounts
    where user_id is null and raffle_id is null and currency = p_currency and kind = p_kind);
end
$function$;

CREATE OR REPLACE FUNCTION app.find_fault(p_status public.account_status, p_email_confirmed_at timestamp with time zone, p_self_excluded_until timestamp with time zone, p_birth_date date, p_minimum_age integer)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return case
    when p_status <> 'ACTIVE' then 'account_suspended'
    when p_email_confirmed_at is null then 'email_unverified'
    when p_self_excluded_until > clock_timestamp() then 'self_excluded'
    when p_minimum_age > 0 and (p_birth_date is null or p_birth_date
      > (clock_timestamp() at time zone 'utc')::date - make_interval(years => p_minimum_age)) then 'age_restricted'
    else '' end;
end
$function$;

CREATE OR REPLACE FUNCTION app.find_faults(p_raffle public.raffles)
 RETURNS TABLE(path text, message text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select path, message from (values
    ('ticket_price_cents', 'must be more than zero', p_raffle.ticket_price_cents > 0),
    ('tickets_required', 'must be from 1 to 10000000', p_raffle.tickets_required between 1 and 10000000),
    ('tickets_required', 'times the ticket price must be at most 9007199254740991',
      p_raffle.ticket_price_cents::numeric * p_raffle.tickets_required <= 9007199254740991),
    ('min_tickets', 'must be from 1 to tickets_required', p_raffle.min_tickets between 1 and p_raffle.tickets_required),
    ('max_per_user', 'must be at least 1', p_raffle.max_per_user >= 1),
    ('winners_count', 'must be from 1 to min_tickets', p_raffle.winners_count between 1 and p_raffle.min_tickets),
    ('opens_at', 'must be within two years',
      p_raffle.opens_at between app.clock() - interval '2 years' and app.clock() + interval '2 years'),
    ('closes_at', 'must be in the future', p_raffle.closes_at > app.clock()),
    ('closes_at', 'must be after opens_at', p_raffle.closes_at > p_raffle.opens_at),
    ('closes_at', 'must be within two years', p_raffle.closes_at < app.clock() + interval '2 years'),
    ('lanes', 'must be from 1 to 64, and no more than there are tickets',
      p_raffle.lanes between 1 and least(64, p_raffle.tickets_required)),
    ('boost_price_cents', 'must be more than zero', p_raffle.boost_price_cents > 0),
    ('boost_limit', 'must be from 1 to 1000', p_raffle.boost_limit between 1 and 1000),
    ('boost_limit', 'goes with boost_price_cents', (p_raffle.boost_limit is null) = (p_raffle.boost_price_cents is null)),
    ('retry_price_cents', 'must be more than zero', p_raffle.retry_price_cents > 0),
    ('retry_price_cents', 'goes with retry_of', (p_raffle.retry_price_cents is null) = (p_raffle.retry_of is null)),
    ('retry_of', 'must be another raffle, published and not cancelled', p_raffle.retry_of is null or exists (
      select from public.raffles r
      where r.id = p_raffle.retry_of and r.id <> p_raffle.id and r.published_at is not null and r.state <> 'CANCELLED')),
    ('lottery_id', 'goes with the draw method LOTTERY', (p_raffle.lottery_id is not null) = (p_raffle.draw_method = 'LOTTERY')),
    ('lottery_draw_date', 'goes with the draw method LOTTERY',
      (p_raffle.lottery_draw_date is not null) = (p_raffle.draw_method = 'LOTTERY')),
    ('lottery_draw_date', 'must be within two years', p_raffle.lottery_draw_date <= (app.clock() + interval '2 years')::date),
    -- Nobody buys a number that may be known already.
    ('lottery_draw_date', 'must be a date on which the lottery draws',
      p_raffle.lottery_id is null or app.lottery_moment(p_raffle.lottery_id, p_raffle.lottery_draw_date) is not null),
    ('closes_at', 'must be well before the lottery draws',
      p_raffle.closes_at <= app.lottery_moment(p_raffle.lottery_id, p_raffle.lottery_draw_date)
        - make_interval(mins => app.setting('lottery_cutoff_minutes'))),
    ('winners_count', 'must be 1 where a lottery decides', p_raffle.draw_method <> 'LOTTERY' or p_raffle.winners_count = 1),
    ('unsold_rule', 'goes with the draw method LOTTERY', (p_raffle.unsold_rule is not null) = (p_raffle.draw_method = 'LOTTERY')),
    ('tickets_required', 'must fit the figures of the lottery',
      p_raffle.tickets_required <= (select power(10, digits) from public.lotteries where id = p_raffle.lottery_id))
  ) as rule (path, message, holds)
  where not holds
  union all
  select 'prize_tiers', message from app.find_tier_faults(p_raffle) as message
$function$;

CREATE OR REPLACE FUNCTION app.find_tier_faults(p_raffle public.raffles)
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_tiers jsonb := p_raffle.prize_tiers;
  v_lowest numeric := least(p_raffle.ticket_price_cents, p_raffle.boost_price_cents, p_raffle.retry_price_cents);
  v_fund numeric := greatest(0, v_lowest * p_raffle.min_tickets
    - div(p_raffle.rake_cents::numeric * p_raffle.min_tickets, nullif(p_raffle.tickets_required, 0)));
begin
  if jsonb_typeof(v_tiers) <> 'array' or jsonb_array_length(v_tiers) > 1000 or exists (
    select from jsonb_array_elements(v_tiers) as tier
    where jsonb_typeof(tier) <> 'object' or not (tier ? 'place' or tier ? 'figures') or not tier ? 'amount_cents'
      or exists (select from jsonb_each(case jsonb_typeof(tier) when 'object' then tier else '{}' end) as field
        where key not in ('place', 'figures', 'amount_cents') or value::text !~ '^[1-9][0-9]{0,14}$'))
  then
    return next 'must be a list such as [{"place":1,"amount_cents":50000}]';
    return;
  end if;
  if exists (select from jsonb_array_elements(v_tiers) as tier where (tier ->> 'place')::bigint > p_raffle.winners_count) then
    return next 'must not name a place beyond winners_count';
  end if;
  if exists (select from jsonb_array_elements(v_tiers) as tier group by tier ->> 'place', tier ->> 'figures' having count(*) > 1) then
    return next 'must not name anything twice';
  end if;
  if p_raffle.draw_method = 'BEACON' and exists (select from jsonb_array_elements(v_tiers) as tier where tier ? 'figures') then
    return next 'pays for figures in lotteries only';
  end if;
  if (select coalesce(sum((tier ->> 'amount_cents')::bigint), 0) from jsonb_array_elements(v_tiers) as tier)
    + coalesce(p_raffle.prize_per_winner_cents, 0)::numeric * p_raffle.winners_count > v_fund
  then
    return next 'must not be more than the prize fund, even if only min_tickets are sold, at the lowest price (ticket, boost or retry)';
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.finish_purchase_check(p_purchase_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update public.purchases set check_at = null where id = p_purchase_id and status in ('FAILED', 'EXPIRED')
$function$;
grant execute on function app.finish_purchase_check(p_purchase_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.first_number(p_raffle public.raffles)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case p_raffle.draw_method when 'LOTTERY' then 0 else 1 end;
end
$function$;

CREATE OR REPLACE FUNCTION app.fold(p_text text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select lower(extensions.unaccent('extensions.unaccent', normalize(p_text, nfkc)))
$function$;

CREATE OR REPLACE FUNCTION app.fold_blocks(p_hashes bytea)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  for v_level in 1..10 loop
    exit when length(p_hashes) <= 32;
    p_hashes := app.fold_hashes(p_hashes);
  end loop;
  return p_hashes;
end
$function$;

CREATE OR REPLACE FUNCTION app.fold_hashes(p_hashes bytea)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_count integer := length(p_hashes) / 32;
begin
  return (
    select string_agg(case when 2 * pair + 1 < v_count
      then sha256('\x01'::bytea || substring(p_hashes from pair * 64 + 1 for 64))
      else substring(p_hashes from pair * 64 + 1 for 32) end, ''::bytea order by pair)
    from generate_series(0, (v_count - 1) / 2) as pair);
end
$function$;

CREATE OR REPLACE FUNCTION app.follow_card_refund(p_refund_id text, p_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_refund app.card_refunds;
  v_payment app.card_payments;
  v_purchase public.purchases;
  v_account_id bigint;
  v_excess bigint;
begin
  update app.card_refunds r set refund_id = p_refund_id, check_at = null
  from app.card_reversals e
  where e.id = p_refund_id and r.id = p_id and r.refund_id is null
    and (e.kind, e.intent_id, e.amount_cents) = ('REFUND', r.intent_id, r.amount_cents);
  update app.card_refunds r set failed_at = app.clock()
  from app.card_reversals e
  where e.id = p_refund_id and e.status in ('failed', 'canceled') and r.refund_id = p_refund_id and r.failed_at is null
  returning r.* into v_refund;
  if not found then
    return false;
  end if;
  select * into strict v_purchase from public.purchases where id = v_refund.purchase_id;
  select * into strict v_payment from app.card_payments where intent_id = v_refund.intent_id;
  v_account_id := app.account_of('USER', v_payment.currency, v_purchase.user_id);
  update app.card_payments set account_id = v_account_id where intent_id = v_payment.intent_id;
  v_excess := v_payment.taken_cents - v_payment.amount_cents;
  if v_excess > 0 then
    perform app.charge_back(v_payment.account_id, -v_excess, 'CHARGEBACK', p_refund_id);
    perform app.charge_back(v_account_id, v_excess, 'CHARGEBACK', p_refund_id);
  elsif v_excess < 0 then
    perform app.post_transaction('REFUND', array[
      (v_payment.account_id, v_excess), (v_account_id, -v_excess)
    ]::app.posting[], p_purchase_id => v_purchase.id, p_raffle_id => v_purchase.raffle_id, p_external_id => p_refund_id);
    perform app.tell('refund_to_wallet', v_purchase.user_id, v_purchase.id);
  end if;
  perform app.alert_operators('refund_failed', p_refund_id, jsonb_build_object(
    'purchase_id', v_purchase.id, 'amount_cents', v_refund.amount_cents, 'currency', v_purchase.currency));
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.gather_seats(p_raffle_id uuid, p_quantity integer, p_unpaid boolean)
 RETURNS app.seats[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_lane app.raffle_lanes;
  v_gap app.raffle_gaps;
  v_taken app.seats[] := '{}';
  v_missing integer := p_quantity;
  v_take integer;
  v_free bigint := 0;
begin
  for v_lane in
    select * from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update
  loop
    if not v_lane.open then
      perform app.fail('raffle_not_open');
    end if;
    v_free := v_free + v_lane.fresh + v_lane.returned;
  end loop;
  if not found and exists (select from app.raffle_lanes where raffle_id = p_raffle_id) then
    return (app.take_seats(p_raffle_id, p_quantity, p_unpaid)).seats; -- new terms have made new lanes in the meantime
  elsif not found and exists (select from public.raffles where id = p_raffle_id and state <> 'DRAFT') then
    perform app.fail('raffle_not_open');
  elsif not found then
    perform app.fail('raffle_not_found');
  end if;
  if v_free < p_quantity then
    perform app.fail('raffle_sold_out', jsonb_build_object('remaining', v_free));
  end if;

  for v_gap in select * from app.raffle_gaps where raffle_id = p_raffle_id order by start_num loop
    exit when v_missing = 0;
    v_take := least(v_missing, v_gap.end_num - v_gap.start_num + 1);
    v_taken := v_taken || (v_gap.lane_no, v_gap.start_num, v_gap.start_num + v_take - 1)::app.seats;
    v_missing := v_missing - v_take;
    delete from app.raffle_gaps where raffle_id = p_raffle_id and start_num = v_gap.start_num;
    if v_gap.start_num + v_take <= v_gap.end_num then
      insert into app.raffle_gaps (raffle_id, lane_no, start_num, end_num)
      values (p_raffle_id, v_gap.lane_no, v_gap.start_num + v_take, v_gap.end_num);
    end if;
    update app.raffle_lanes set returned = returned - v_take, unpaid = unpaid + case when p_unpaid then v_take else 0 end
    where raffle_id = p_raffle_id and lane_no = v_gap.lane_no;
  end loop;
  for v_lane in select * from app.raffle_lanes where raffle_id = p_raffle_id and fresh > 0 order by lane_no loop
    exit when v_missing = 0;
    v_take := least(v_missing, v_lane.fresh);
    v_taken := v_taken || (v_lane.lane_no, v_lane.end_num - v_lane.fresh + 1, v_lane.end_num - v_lane.fresh + v_take)::app.seats;
    v_missing := v_missing - v_take;
    update app.raffle_lanes set fresh = fresh - v_take, unpaid = unpaid + case when p_unpaid then v_take else 0 end
    where raffle_id = p_raffle_id and lane_no = v_lane.lane_no;
  end loop;
  return v_taken;
end
$function$;

CREATE OR REPLACE FUNCTION app.get_customer()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object('user_id', u.id, 'email', u.email, 'customer_id', c.customer_id)
  from auth.users u left join app.stripe_customers c on c.user_id = u.id
  where u.id = app.signed_in_user()
$function$;
grant execute on function app.get_customer() to authenticated;

CREATE OR REPLACE FUNCTION app.get_purchase(p_purchase_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object('purchase', app.describe_purchase(p), 'tickets', app.describe_tickets(p))
  from app.own_purchase(p_purchase_id) p
$function$;
grant execute on function app.get_purchase(p_purchase_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.get_raffle(p_raffle_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
begin
  select * into v_raffle from public.raffles where id = p_raffle_id and published_at is not null;
  if not found then
    perform app.fail('raffle_not_found');
  end if;
  return app.describe_raffle(v_raffle, true);
end
$function$;
grant execute on function app.get_raffle(p_raffle_id uuid) to anon;
grant execute on function app.get_raffle(p_raffle_id uuid) to authenticated;
grant execute on function app.get_raffle(p_raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.get_topup(p_topup_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object('topup', app.describe_topup(app.own_topup(p_topup_id)))
$function$;
grant execute on function app.get_topup(p_topup_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.get_withdrawal(p_withdrawal_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  select * into v_withdrawal from public.wallet_withdrawals
  where id = p_withdrawal_id and user_id = app.signed_in_user();
  if not found then
    perform app.fail('withdrawal_not_found');
  end if;
  return jsonb_build_object('withdrawal', app.describe_withdrawal(v_withdrawal));
end
$function$;
grant execute on function app.get_withdrawal(p_withdrawal_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.grant_admin_claim(p_claim_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
begin
  lock table public.user_roles in share row exclusive mode;
  update app.admin_claims set granted = true
  where id = p_claim_id and not granted and at > app.clock() - interval '1 minute'
  returning user_id into v_user_id;
  if not found then
    perform app.fail('not_permitted');
  end if;
  if exists (select from public.user_roles where role = 'admin') then
    perform app.fail('admin_exists');
  end if;
  insert into public.user_roles (user_id, role) values (v_user_id, 'admin');
end
$function$;
grant execute on function app.grant_admin_claim(p_claim_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.grant_role(p_user_id uuid, p_role public.staff_role)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('admin');
  if not exists (select from public.profiles where id = p_user_id) then
    perform app.fail('user_not_found');
  end if;
  insert into public.user_roles (user_id, role) values (p_user_id, p_role)
  on conflict do nothing;
end
$function$;
grant execute on function app.grant_role(p_user_id uuid, p_role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION app.has_role(p_role public.staff_role)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select exists (
    select from public.user_roles r
    join public.profiles p on p.id = r.user_id
    where r.user_id = auth.uid() and r.role in (p_role, 'admin') and p.status = 'ACTIVE'
  )
$function$;
grant execute on function app.has_role(p_role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION app.hash_tickets(p_raffle_id uuid, p_skip integer DEFAULT 0, p_max integer DEFAULT NULL::integer)
 RETURNS bytea
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_key text := (select key from app.raffle_keys where raffle_id = p_raffle_id);
begin
  return (
    select coalesce(string_agg(
      sha256('\x00'::bytea || uuid_send(p_raffle_id) || int4send(ticket_num)
        || sha256(substring(extensions.hmac('salt ' || ticket_num, v_key, 'sha256') for 16) || uuid_send(user_id))),
      ''::bytea order by ticket_num), ''::bytea)
    from (
      select ticket_num, user_id from public.tickets where raffle_id = p_raffle_id
      order by ticket_num offset p_skip limit p_max
    ) as sealed);
end
$function$;

CREATE OR REPLACE FUNCTION app.holder_of(p_ticket public.tickets)
 RETURNS bytea
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return sha256(app.salt_of(p_ticket.raffle_id, p_ticket.ticket_num) || uuid_send(p_ticket.user_id));
end
$function$;

CREATE OR REPLACE FUNCTION app.honour_late_payment(p_purchase public.purchases)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_seats app.seats[];
  v_raffle public.raffles;
begin
  if not exists (select from public.raffles where id = p_purchase.raffle_id and state = 'OPEN' and closes_at > app.clock()) then
    return false;
  end if;
  begin
    perform app.require_player(p_purchase.user_id);
    perform app.require_active_wallet(app.find_account('USER', p_purchase.currency, p_purchase.user_id, null));
    v_seats := (app.take_seats(p_purchase.raffle_id, p_purchase.quantity, false)).seats;
    select * into strict v_raffle from public.raffles where id = p_purchase.raffle_id;
    perform app.price_for(v_raffle, p_purchase.user_id, p_purchase.type, p_purchase.quantity, p_purchase.ticket_id);
    perform app.within_spend_limits(p_purchase.user_id, p_purchase.currency, p_purchase.amount_cents);
    if p_purchase.numbers is not null then
      perform app.claim_numbers(v_raffle, p_purchase.id, p_purchase.numbers);
    end if;
  exception when sqlstate 'PT401' or sqlstate 'PT403' or sqlstate 'PT404' or sqlstate 'PT409' then
    return false; -- sold out or closed since, or beyond what this user may have or do by now
  end;
  perform app.reserve_seats(p_purchase.id, v_seats);
  perform app.confirm_purchase(p_purchase, v_seats, false);
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.house_balance(p_account_id bigint)
 RETURNS bigint
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce((select balance_cents from public.house_balances where account_id = p_account_id), 0) + coalesce((
    select sum(case direction when 'CREDIT' then amount_cents else -amount_cents end) from public.wallet_ledger
    where account_id = p_account_id and id > (select rolled_up from app.ledger_mark)), 0)::bigint
$function$;

CREATE OR REPLACE FUNCTION app.is_name(p_text text, p_longest integer)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select length(p_text) between 1 and p_longest
    and p_text !~ '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]'
    and p_text !~ '^[ \u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]|[ \u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]$'
    -- Something besides what has no ink: joiners, fillers and selectors are part of words and pictures.
    and p_text ~ '[^ \u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]'
$function$;
grant execute on function app.is_name(p_text text, p_longest integer) to authenticated;

CREATE OR REPLACE FUNCTION app.is_stripe_id(p_id text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select coalesce(p_id ~ '^[a-z]+_\w{1,240}$', false)
$function$;

CREATE OR REPLACE FUNCTION app.issue_tickets(p_purchase_id uuid, p_user_id uuid, p_raffle_id uuid, p_numbers integer[])
 RETURNS json
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_tickets json;
begin
  with issued as (
    insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
    select p_raffle_id, n, p_user_id, p_purchase_id from unnest(p_numbers) as n order by n
    returning id, ticket_num
  )
  select json_agg(json_build_object('id', id, 'ticket_num', ticket_num) order by ticket_num) into v_tickets from issued;
  return v_tickets;
end
$function$;

CREATE OR REPLACE FUNCTION app.job_outcomes()
 RETURNS TABLE(job text, began timestamp with time zone, ended timestamp with time zone, runid bigint, call_id bigint, is_over boolean, failure text)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return query
    select j.name, d.start_time, d.end_time, d.runid, null::bigint,
      d.status = 'failed' or not exists (
        select from app.function_calls f where f.job = j.name and f.called_at between d.start_time and d.end_time),
      case d.status when 'failed' then coalesce(d.return_message, 'failed') end
    from cron.job_run_details d join cron.job c using (jobid) join public.jobs j on j.name = c.jobname
    where d.runid > (select min(last_runid) from public.jobs) and d.runid > j.last_runid and d.status in ('succeeded', 'failed');
  if to_regclass('net._http_response') is not null then
    return query
      select f.job, f.called_at, clock_timestamp(), null::bigint, f.id, true, case
        when r.status_code between 200 and 299 then null
        when r.id is null then 'no answer'
        else coalesce(r.error_msg, 'answered ' || r.status_code) end
      from app.function_calls f left join net._http_response r on r.id = f.request_id and r.created >= f.called_at
      where f.ended_at is null and (r.id is not null or f.called_at < clock_timestamp() - interval '5 minutes');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.late_jobs()
 RETURNS text[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select array(select name from public.jobs where next_run_at < clock_timestamp() - interval '2 minutes' order by name)
$function$;

CREATE OR REPLACE FUNCTION app.length_of(p_period public.limit_period)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case p_period when 'day' then interval '24 hours' when 'week' then interval '7 days' else interval '30 days' end
$function$;

CREATE OR REPLACE FUNCTION app.limit_in_force(p_limit public.play_limits)
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select case when p_limit.pending_from <= app.clock() then p_limit.pending_amount_cents
    else p_limit.amount_cents end
$function$;

CREATE OR REPLACE FUNCTION app.list_purchases(p_skip integer, p_page_size integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with own as (
    select * from public.purchases where user_id = app.signed_in_user()
  ), page as (
    select * from own order by created_at desc, id desc limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_purchase(page) order by created_at desc, id desc) from page), '[]'),
    'total', (select count(*) from own))
$function$;
grant execute on function app.list_purchases(p_skip integer, p_page_size integer) to authenticated;

CREATE OR REPLACE FUNCTION app.list_raffles(p_skip integer, p_page_size integer, p_state public.raffle_state, p_category uuid, p_search text, p_sort text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with wanted as materialized (
    select app.fold(p_search) as text
  ), found as (
    select r.* from public.raffles r join public.prizes p on p.id = r.prize_id
    where r.state <> 'DRAFT' and r.published_at is not null
      and (p_state is null or r.state = p_state)
      and (p_category is null or r.category_id = p_category)
      and (p_search is null or strpos(
        app.fold(concat_ws(E'\n', coalesce(r.title, p.title), coalesce(r.description, p.description), p.title)),
        (select text from wanted)) > 0)
  ), page as (
    select f.*, row_number() over (order by
      case when p_sort = 'ending' then case
        when f.state = 'OPEN' and f.closes_at > app.clock() then 1
        when f.state = 'CANCELLED' then 4 when f.state = 'FULL' and f.closes_at > app.clock() then 2 else 3 end end,
      case when p_sort = 'ending' and f.closes_at > app.clock() then f.closes_at end,
      case when p_sort = 'ending' then f.closes_at end desc,
      case when p_sort = 'popular' then l.sold_lately end desc nulls last,
      f.published_at desc, f.id) as place
    from found f left join app.popular_raffles l on l.raffle_id = f.id
    order by place limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_raffle(r, false) order by page.place)
      from page join public.raffles r on r.id = page.id), '[]'),
    'total', (select count(*) from found))
$function$;
grant execute on function app.list_raffles(p_skip integer, p_page_size integer, p_state public.raffle_state, p_category uuid, p_search text, p_sort text) to anon;
grant execute on function app.list_raffles(p_skip integer, p_page_size integer, p_state public.raffle_state, p_category uuid, p_search text, p_sort text) to authenticated;
grant execute on function app.list_raffles(p_skip integer, p_page_size integer, p_state public.raffle_state, p_category uuid, p_search text, p_sort text) to service_role;

CREATE OR REPLACE FUNCTION app.list_topups(p_skip integer, p_page_size integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with own as (
    select * from public.wallet_topups where user_id = app.signed_in_user()
  ), page as (
    select * from own order by created_at desc, id limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_topup(page) order by created_at desc, id) from page), '[]'),
    'total', (select count(*) from own))
$function$;
grant execute on function app.list_topups(p_skip integer, p_page_size integer) to authenticated;

CREATE OR REPLACE FUNCTION app.list_withdrawals(p_skip integer, p_page_size integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with own as (
    select * from public.wallet_withdrawals where user_id = app.signed_in_user()
  ), page as (
    select * from own order by created_at desc, id limit least(p_page_size, 100) offset p_skip
  )
  select jsonb_build_object(
    'items', coalesce((select jsonb_agg(app.describe_withdrawal(page) order by created_at desc, id) from page), '[]'),
    'total', (select count(*) from own))
$function$;
grant execute on function app.list_withdrawals(p_skip integer, p_page_size integer) to authenticated;

CREATE OR REPLACE FUNCTION app.lock_payment(p_intent_id text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select pg_advisory_xact_lock(hashtextextended('payment ' || p_intent_id, 0))
$function$;

CREATE OR REPLACE FUNCTION app.lock_purchase_key(p_purchase_id uuid, p_key text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select from app.idempotency_keys
  where user_id = (select user_id from public.purchases where id = p_purchase_id) and endpoint = 'purchase' and key = p_key
  for update
$function$;

CREATE OR REPLACE FUNCTION app.lottery_moment(p_lottery_id uuid, p_date date)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return (
    select (p_date + l.draws_at) at time zone l.time_zone from public.lotteries l
    left join public.lottery_dates d on d.lottery_id = l.id and d.draw_date = p_date
    where l.id = p_lottery_id and coalesce(d.takes_place, extract(isodow from p_date) = any (l.draw_days)));
end
$function$;

CREATE OR REPLACE FUNCTION app.make_lanes(p_raffle_id uuid, p_seats integer, p_lanes integer)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into app.raffle_lanes (raffle_id, lane_no, start_num, end_num, fresh)
  select p_raffle_id, lane, first, last, last - first + 1
  from generate_series(1, p_lanes) as lane,
    lateral (select (lane - 1)::bigint * p_seats / p_lanes + 1 as first, lane::bigint * p_seats / p_lanes as last) as range
$function$;

CREATE OR REPLACE FUNCTION app.make_profile(p_user_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into public.profiles (id, display_name, locale, country)
  select
    id,
    case when app.is_name(name, 80) then name end,
    coalesce(substring(raw_user_meta_data ->> 'locale' from '^(?:en|es|it)(?:-[A-Z]{2})?$'), 'en'),
    substring(raw_user_meta_data ->> 'country' from '^[A-Z]{2}$')
  from auth.users, lateral (select btrim(left(btrim(regexp_replace(
    coalesce(raw_user_meta_data ->> 'display_name', raw_user_meta_data ->> 'full_name'),
    '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]', '', 'g')), 80)) as name) given
  where id = p_user_id
  on conflict (id) do nothing
$function$;

CREATE OR REPLACE FUNCTION app.merge_preferences(p_old jsonb, p_new jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select p_old || p_new || case
    when jsonb_typeof(p_old -> 'channels') = 'object' and jsonb_typeof(p_new -> 'channels') = 'object'
    then jsonb_build_object('channels', (p_old -> 'channels') || (p_new -> 'channels')) else '{}' end
$function$;

CREATE OR REPLACE FUNCTION app.messages_wait()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select exists (select from public.notifications
      where status = 'QUEUED' and happened_at < clock_timestamp() - interval '15 minutes')
    and not exists (select from public.notifications
      where status = 'SENT' and ended_at > clock_timestamp() - interval '15 minutes')
$function$;

CREATE OR REPLACE FUNCTION app.metadata_id(p_object jsonb, p_name text)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select (substring(p_object -> 'metadata' ->> p_name from '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))::uuid
$function$;

CREATE OR REPLACE FUNCTION app.mismatch(p_object jsonb, p_amount bigint, p_currency text, p_livemode boolean)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case
    when coalesce(p_object -> 'amount_total', p_object -> 'amount') is distinct from to_jsonb(p_amount) then 'another amount'
    when upper(p_object ->> 'currency') is distinct from p_currency then 'another currency'
    when p_object -> 'livemode' is distinct from to_jsonb(p_livemode) then 'another mode'
  end
$function$;

CREATE OR REPLACE FUNCTION app.mismatch_subject(p_object jsonb)
 RETURNS text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select case when exists (select from public.operator_alerts
      where kind = 'stripe_mismatch' and subject = object_id and resolved_at is null
        and (details ->> 'object', details ->> 'payment_intent') is distinct from (p_object ->> 'object', p_object ->> 'payment_intent'))
    then concat_ws(' ', object_id, left(p_object ->> 'object', 255), left(p_object ->> 'payment_intent', 255))
    else object_id end
  from coalesce(left(p_object ->> 'id', 255), 'no id') as object_id
$function$;

CREATE OR REPLACE FUNCTION app.missing_events(p_ids text[])
 RETURNS text[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select array(
    select id from unnest(p_ids) as given (id) where not exists (select from app.stripe_events e where e.id = given.id))
$function$;
grant execute on function app.missing_events(p_ids text[]) to service_role;

CREATE OR REPLACE FUNCTION app.money_of(p_cents bigint, p_currency text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object('amount_cents', p_cents, 'amount', app.decimal_of(p_cents, p_currency), 'currency', p_currency)
$function$;

CREATE OR REPLACE FUNCTION app.name_raffle(p_raffle_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object('raffle_id', r.id, 'raffle_title', coalesce(r.title, p.title))
  from public.raffles r join public.prizes p on p.id = r.prize_id where r.id = p_raffle_id
$function$;

CREATE OR REPLACE FUNCTION app.new_id()
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  return overlay(gen_random_uuid()::text placing
    lpad(to_hex((date_part('epoch', clock_timestamp()) * 1000)::bigint), 12, '0') || '7' from 1 for 15);
end
$function$;

CREATE OR REPLACE FUNCTION app.news(p_changed boolean)
 RETURNS app.event_outcome
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case when p_changed then 'applied' else 'duplicate' end::app.event_outcome
$function$;

CREATE OR REPLACE FUNCTION app.next_lottery_date(p_lottery_id uuid, p_after date)
 RETURNS date
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return (
    select day::date from generate_series(p_after + 1, p_after + 366, interval '1 day') as day
    where app.lottery_moment(p_lottery_id, day::date) is not null order by day limit 1);
end
$function$;

CREATE OR REPLACE FUNCTION app.next_run(p_schedule text, p_after timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_field text[] := regexp_split_to_array(p_schedule, '\s+');
  v_at timestamp := date_trunc('minute', p_after at time zone 'utc') + interval '1 minute';
  v_end timestamp := v_at + interval '1 year';
  v_by_day boolean;
  v_by_weekday boolean;
begin
  if v_field[2] like 'second%' then
    return p_after + make_interval(secs => v_field[1]::integer);
  end if;
  while v_at < v_end loop
    v_by_day := app.cron_field_names(v_field[3], extract(day from v_at)::integer, 1, 31);
    -- Sunday is 0 and 7.
    v_by_weekday := app.cron_field_names(v_field[5], extract(dow from v_at)::integer, 0, 7)
      or extract(dow from v_at) = 0 and app.cron_field_names(v_field[5], 7, 0, 7);
    if not app.cron_field_names(v_field[4], extract(month from v_at)::integer, 1, 12)
      -- As in every cron: when both days are restricted, either one is enough.
      or not (case when v_field[3] <> '*' and v_field[5] <> '*' then v_by_day or v_by_weekday else v_by_day and v_by_weekday end)
    then
      v_at := date_trunc('day', v_at) + interval '1 day';
    elsif not app.cron_field_names(v_field[2], extract(hour from v_at)::integer, 0, 23) then
      v_at := date_trunc('hour', v_at) + interval '1 hour';
    elsif not app.cron_field_names(v_field[1], extract(minute from v_at)::integer, 0, 59) then
      v_at := v_at + interval '1 minute';
    else
      return v_at at time zone 'utc';
    end if;
  end loop;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.notifications_are_due()
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select exists (select from public.notifications where status = 'QUEUED' and due_at <= clock_timestamp())
    or exists (select from app.outbox where user_id is not null)
$function$;

CREATE OR REPLACE FUNCTION app.numbers_held(p_raffle_id uuid, p_user_id uuid, p_purchase_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select case when count(*) between 1 and 100 then jsonb_agg(ticket_num order by ticket_num) else '[]' end from public.tickets
  where raffle_id = p_raffle_id and user_id = p_user_id and (p_purchase_id is null or purchase_id = p_purchase_id)
$function$;

CREATE OR REPLACE FUNCTION app.numbers_of(p_raffle public.raffles, p_seats app.seats[])
 RETURNS integer[]
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_first integer := case p_raffle.draw_method when 'LOTTERY' then 0 else 1 end;
  v_key text;
  v_range app.seats;
  v_numbers integer[] := '{}';
begin
  if p_raffle.numbering = 'SEQUENTIAL' and cardinality(p_seats) = 1 and p_seats[1].start_num = p_seats[1].end_num then
    return array[v_first + p_seats[1].start_num - 1]; -- nearly every sale: one ticket
  end if;
  if p_raffle.numbering = 'RANDOM' then
    select key into strict v_key from app.raffle_keys where raffle_id = p_raffle.id;
  end if;
  foreach v_range in array p_seats loop
    for v_seat in v_range.start_num..v_range.end_num loop
      v_numbers := v_numbers || v_first + case p_raffle.numbering
        when 'RANDOM' then app.shuffle(v_key, p_raffle.tickets_required, v_seat - 1) else v_seat - 1 end;
    end loop;
  end loop;
  return v_numbers;
end
$function$;

CREATE OR REPLACE FUNCTION app.offer_prize(p_raffle public.raffles, p_place integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  with offered as (
    insert into public.prize_claims (raffle_id, place, user_id, claim_until)
    select w.raffle_id, w.place, t.user_id, app.clock() + make_interval(days => app.setting('prize_claim_days'))
    from public.winners w join public.tickets t using (raffle_id, ticket_num)
    where w.raffle_id = p_raffle.id and w.place = p_place
    returning *
  )
  insert into app.outbox (event, user_id, subject_id, details)
  select 'prize_to_claim', user_id, raffle_id, jsonb_build_object('place', place) from offered;
end
$function$;

CREATE OR REPLACE FUNCTION app.on_sign_up()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.make_profile(new.id);
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.own_purchase(p_purchase_id uuid)
 RETURNS public.purchases
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
begin
  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = app.signed_in_user();
  if not found then
    perform app.fail('purchase_not_found');
  end if;
  return v_purchase;
end
$function$;

CREATE OR REPLACE FUNCTION app.own_topup(p_topup_id uuid)
 RETURNS public.wallet_topups
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_topup public.wallet_topups;
begin
  select * into v_topup from public.wallet_topups where id = p_topup_id and user_id = app.signed_in_user();
  if not found then
    perform app.fail('topup_not_found');
  end if;
  return v_topup;
end
$function$;

CREATE OR REPLACE FUNCTION app.pare(p_object jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(p_object)
  where key in ('id', 'object', 'amount', 'amount_total', 'amount_received', 'amount_refunded', 'amount_reversed',
    'currency', 'livemode', 'status', 'payment_status', 'payment_intent', 'charge', 'destination', 'reversed',
    'reason', 'failure_code', 'cancellation_reason', 'metadata')
$function$;

CREATE OR REPLACE FUNCTION app.pass_on_prizes()
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_due record;
  v_raffle public.raffles;
  v_next integer;
  v_passed bigint := 0;
begin
  for v_due in
    select raffle_id, place from public.prize_claims where status = 'OFFERED' and claim_until <= clock_timestamp()
    order by raffle_id, place limit 100
  loop
    select * into v_raffle from public.raffles where id = v_due.raffle_id for update;
    update public.prize_claims set status = 'FORFEITED'
    where raffle_id = v_due.raffle_id and place = v_due.place and status = 'OFFERED' and claim_until <= clock_timestamp();
    continue when not found;
    v_passed := v_passed + 1;
    v_next := (select max(place) + 1 from public.winners where raffle_id = v_due.raffle_id);
    perform app.record_winners(v_due.raffle_id, v_next, v_next);
    if exists (select from public.winners where raffle_id = v_due.raffle_id and place = v_next) then
      perform app.offer_prize(v_raffle, v_next);
    else
      update public.prizes set stock = stock + 1 where id = v_raffle.prize_id;
    end if;
  end loop;
  return v_passed;
end
$function$;

CREATE OR REPLACE FUNCTION app.path_of(p_hashes bytea, p_position integer)
 RETURNS bytea[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_path bytea[] := '{}';
  v_sibling integer;
begin
  while length(p_hashes) > 32 loop
    v_sibling := p_position # 1;
    if v_sibling < length(p_hashes) / 32 then
      v_path := v_path || substring(p_hashes from v_sibling * 32 + 1 for 32);
    end if;
    p_hashes := app.fold_hashes(p_hashes);
    p_position := p_position / 2;
  end loop;
  return v_path;
end
$function$;

CREATE OR REPLACE FUNCTION app.pay_seats(p_raffle_id uuid, p_seats app.seats[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_lane record;
begin
  for v_lane in
    select lane_no, sum(end_num - start_num + 1)::integer as seats from unnest(p_seats) group by lane_no order by lane_no
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats where raffle_id = p_raffle_id and lane_no = v_lane.lane_no;
  end loop;
end
$function$;

CREATE OR REPLACE FUNCTION app.payment_of(p_object jsonb)
 RETURNS app.card_payments
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.lock_payment(p_object ->> 'payment_intent');
  select * from app.card_payments where intent_id = p_object ->> 'payment_intent' for update
$function$;

CREATE OR REPLACE FUNCTION app.place_hold(p_account_id bigint, p_amount_cents bigint, p_reason public.ledger_reason, p_expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_account public.wallet_accounts;
  v_hold_id bigint;
begin
  select * into strict v_account from public.wallet_accounts where id = p_account_id for no key update;
  if v_account.status = 'SUSPENDED' then
    perform app.fail('wallet_suspended');
  end if;
  if v_account.balance_cents - v_account.held_cents < p_amount_cents then
    perform app.fail('balance_insufficient', jsonb_build_object(
      'available_cents', v_account.balance_cents - v_account.held_cents, 'currency', v_account.currency));
  end if;
  update public.wallet_accounts set held_cents = held_cents + p_amount_cents where id = p_account_id;
  insert into public.wallet_holds (account_id, user_id, amount_cents, reason, expires_at)
  values (p_account_id, v_account.user_id, p_amount_cents, p_reason, p_expires_at)
  returning id into v_hold_id;
  return v_hold_id;
end
$function$;

CREATE OR REPLACE FUNCTION app.post_payouts(p_reason public.ledger_reason, p_from_account_id bigint, p_items app.payout_item[], p_raffle_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if exists (select from unnest(p_items) where amount_cents is null or amount_cents <= 0)
    or exists (select from public.wallet_accounts where id = p_from_account_id and kind = 'USER')
  then
    raise exception 'app.post_payouts: pays amounts above zero, and not from a wallet';
  end if;
  perform from public.wallet_accounts where id in (select account_id from unnest(p_items)) order by id for no key update;
  update public.wallet_accounts a set balance_cents = balance_cents + i.amount_cents
  from (select account_id, sum(amount_cents)::bigint as amount_cents from unnest(p_items) group by account_id) i
  where a.id = i.account_id and a.kind = 'USER';

  with items as (
    select nextval('app.ledger_transactions') as transaction_id, i.*, a.user_id, a.currency
    from unnest(p_items) i join public.wallet_accounts a on a.id = i.account_id and a.kind = 'USER'
    join public.wallet_accounts f on f.id = p_from_account_id and f.currency = a.currency
  )
  insert into public.wallet_ledger (
    transaction_id, account_id, user_id, direction, amount_cents, currency, reason, purchase_id, raffle_id)
  select transaction_id, side.account_id, side.user_id, side.direction, amount_cents, currency, p_reason, purchase_id, p_raffle_id
  from items, lateral (values
    (p_from_account_id, null, 'DEBIT'::public.entry_direction),
    (items.account_id, items.user_id, 'CREDIT')) as side (account_id, user_id, direction);
  if not found and cardinality(p_items) > 0 then
    raise exception 'app.post_payouts: the accounts are not what they should be';
  end if;
  perform app.collect_debts(array(select (account_id, amount_cents)::app.posting from unnest(p_items)));
end
$function$;

CREATE OR REPLACE FUNCTION app.post_transaction(p_reason public.ledger_reason, p_postings app.posting[], p_topup_id uuid DEFAULT NULL::uuid, p_withdrawal_id uuid DEFAULT NULL::uuid, p_purchase_id uuid DEFAULT NULL::uuid, p_raffle_id uuid DEFAULT NULL::uuid, p_external_id text DEFAULT NULL::text, p_note text DEFAULT NULL::text, p_reverses bigint[] DEFAULT NULL::bigint[], p_even_suspended boolean DEFAULT false)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_transaction_id bigint := nextval('app.ledger_transactions');
  v_account public.wallet_accounts;
  v_amount bigint;
  v_owes boolean := false;
begin
  if p_reason = 'ADJUSTMENT' and p_note is null then
    raise exception 'app.post_transaction: an adjustment needs its note' using errcode = 'check_violation';
  end if;
  perform app.write_entries(v_transaction_id, p_reason, p_postings, p_topup_id, p_withdrawal_id, p_purchase_id,
    p_raffle_id, p_external_id, p_note, p_reverses);

  for v_account in
    select * from public.wallet_accounts
    where id = any (array(select account_id from unnest(p_postings))) and kind = 'USER'
    order by id
    for no key update
  loop
    v_amount := (select sum(amount_cents) from unnest(p_postings) where account_id = v_account.id);
    if v_amount < 0 and v_account.status = 'SUSPENDED' and not p_even_suspended then
      perform app.fail('wallet_suspended');
    end if;
    if v_amount < 0 and v_account.balance_cents - v_account.held_cents + v_amount < 0 then
      perform app.fail('balance_insufficient', jsonb_build_object(
        'available_cents', v_account.balance_cents - v_account.held_cents, 'currency', v_account.currency));
    end if;
    update public.wallet_accounts set balance_cents = balance_cents + v_amount where id = v_account.id;
    v_owes := v_owes or v_account.debt_cents > 0;
  end loop;

  if v_owes then
    perform app.collect_debts(p_postings);
  end if;
  return v_transaction_id;
end
$function$;

CREATE OR REPLACE FUNCTION app.price_for(p_raffle public.raffles, p_user_id uuid, p_type public.purchase_type, p_quantity integer, p_ticket_id bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_count bigint;
begin
  if p_raffle.state <> 'OPEN' or clock_timestamp() not between p_raffle.opens_at and p_raffle.closes_at then
    perform app.fail('raffle_not_open');
  end if;
  if p_raffle.max_per_user is not null and p_type <> 'BOOST' then
    select coalesce(sum(quantity), 0) into v_count from public.purchases
    where user_id = p_user_id and raffle_id = p_raffle.id and type <> 'BOOST' and status in ('PENDING', 'CONFIRMED');
    if v_count + p_quantity > p_raffle.max_per_user then
      perform app.fail('ticket_limit_reached', jsonb_build_object(
        'limit', p_raffle.max_per_user, 'remaining', p_raffle.max_per_user - v_count));
    end if;
  end if;
  if p_type = 'BOOST' then
    perform app.check_boost(p_raffle, p_user_id, p_quantity, p_ticket_id);
    return p_raffle.boost_price_cents;
  elsif p_type = 'RETRY' then
    perform app.check_retry(p_raffle, p_user_id, p_quantity, p_ticket_id);
    return p_raffle.retry_price_cents;
  end if;
  return p_raffle.ticket_price_cents;
end
$function$;

CREATE OR REPLACE FUNCTION app.prize_money(p_raffle public.raffles, p_place integer)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return nullif(coalesce(p_raffle.prize_per_winner_cents, 0) + coalesce((
    select (tier ->> 'amount_cents')::bigint from jsonb_array_elements(p_raffle.prize_tiers) as tier
    where (tier ->> 'place')::integer = p_place), 0), 0);
end
$function$;

CREATE OR REPLACE FUNCTION app.prove_ticket(p_raffle_id uuid, p_ticket_num integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_draw public.draws := app.sealed_draw(p_raffle_id);
  v_ticket public.tickets;
  v_position integer;
  v_hashes bytea;
  v_path bytea[];
begin
  select * into v_ticket from public.tickets where raffle_id = p_raffle_id and ticket_num = p_ticket_num;
  if not found then
    perform app.fail('ticket_not_found');
  end if;
  v_position := (select count(*) from public.tickets
    where raffle_id = p_raffle_id and ticket_num < p_ticket_num);
  v_hashes := app.hash_tickets(p_raffle_id, v_position / 1024 * 1024, 1024);
  v_path := app.path_of(v_hashes, v_position % 1024)
    || app.path_of((select hashes from app.draw_blocks where raffle_id = p_raffle_id), v_position / 1024);
  return jsonb_strip_nulls(jsonb_build_object(
    'ticket_num', p_ticket_num, 'holder', encode(app.holder_of(v_ticket), 'hex'), 'index', v_position,
    'ticket_count', v_draw.ticket_count, 'leaf', encode(substring(v_hashes from v_position % 1024 * 32 + 1 for 32), 'hex'),
    'path', array(select encode(node, 'hex') from unnest(v_path) with ordinality as step (node, at) order by at),
    'root', v_draw.ticket_root,
    'salt', case when v_ticket.user_id = auth.uid() then encode(app.salt_of(p_raffle_id, p_ticket_num), 'hex') end));
end
$function$;
grant execute on function app.prove_ticket(p_raffle_id uuid, p_ticket_num integer) to anon;
grant execute on function app.prove_ticket(p_raffle_id uuid, p_ticket_num integer) to authenticated;
grant execute on function app.prove_ticket(p_raffle_id uuid, p_ticket_num integer) to service_role;

CREATE OR REPLACE FUNCTION app.publish_progress()
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_changed bigint;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('publish_progress', 0)) then
    return 0;
  end if;
  with changed as (
    insert into public.raffle_progress as p (raffle_id, state, tickets_sold)
    select r.id, r.state, app.count_taken(r.id) from public.raffles r
    left join public.raffle_progress known on known.raffle_id = r.id
    where r.published_at is not null and (r.state in ('OPEN', 'FULL') or known.state is distinct from r.state)
    on conflict (raffle_id) do update
      set state = excluded.state, tickets_sold = excluded.tickets_sold, updated_at = clock_timestamp()
      where (p.state, p.tickets_sold) is distinct from (excluded.state, excluded.tickets_sold)
    returning 1
  )
  select count(*) into v_changed from changed;
  return v_changed;
end
$function$;

CREATE OR REPLACE FUNCTION app.publish_raffle(p_raffle_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
begin
  perform app.require_role('operator');
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  if not found then
    perform app.fail('raffle_not_found');
  elsif v_raffle.state <> 'DRAFT' then
    perform app.fail('raffle_not_draft');
  end if;
  v_raffle := app.complete_terms(v_raffle);
  perform from public.lotteries where id = v_raffle.lottery_id for share; -- its calendar stays as it is looked at
  perform app.require_sound_terms(v_raffle);
  update public.prizes set stock = stock - v_raffle.prizes_taken
  where id = v_raffle.prize_id and stock >= v_raffle.prizes_taken;
  if not found then
    perform app.fail('prize_out_of_stock');
  end if;
  update public.raffles set
    state = 'OPEN', published_at = app.clock(), title = v_raffle.title, description = v_raffle.description,
    ticket_price_cents = v_raffle.ticket_price_cents, currency = v_raffle.currency, lanes = v_raffle.lanes,
    rake_cents = v_raffle.rake_cents, prize_fund_cents = v_raffle.prize_fund_cents,
    prize_per_winner_cents = v_raffle.prize_per_winner_cents, prizes_taken = v_raffle.prizes_taken
  where id = p_raffle_id;
  perform app.make_lanes(p_raffle_id, v_raffle.tickets_required, v_raffle.lanes);
  insert into app.raffle_keys (raffle_id) values (p_raffle_id);
end
$function$;
grant execute on function app.publish_raffle(p_raffle_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.purge()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_oldest timestamptz := app.clock() - make_interval(hours => app.setting('job_log_hours'));
begin
  perform app.purge_idempotency_keys();
  perform app.purge_rate_buckets();
  perform app.purge_stripe_events();
  perform app.purge_notifications();
  delete from app.function_calls where ended_at < v_oldest;
  if to_regclass('cron.job_run_details') is not null then
    delete from cron.job_run_details where end_time < v_oldest;
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.purge_idempotency_keys()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with gone as (
    delete from app.idempotency_keys
    where created_at < app.clock() - make_interval(hours => app.setting('idempotency_retention_hours'))
    returning 1
  )
  select count(*) from gone
$function$;

CREATE OR REPLACE FUNCTION app.purge_notifications()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with gone as (
    delete from public.notifications where status in ('SENT', 'SKIPPED')
      and ended_at < app.clock() - make_interval(days => app.setting('notification_retention_days'))
    returning 1
  )
  select count(*) from gone
$function$;

CREATE OR REPLACE FUNCTION app.purge_rate_buckets()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with gone as (
    delete from app.rate_buckets where full_at < app.clock() returning 1
  )
  select count(*) from gone
$function$;

CREATE OR REPLACE FUNCTION app.purge_stripe_events()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with gone as (
    delete from app.stripe_events
    where received_at < app.clock() - make_interval(days => app.setting('stripe_event_retention_days'))
    returning 1
  )
  select count(*) from gone
$function$;

CREATE OR REPLACE FUNCTION app.quarantine(p_object jsonb, p_reason text)
 RETURNS app.event_outcome
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.alert_operators('stripe_mismatch', app.mismatch_subject(p_object), jsonb_build_object(
    'reason', p_reason, 'object', p_object ->> 'object', 'amount', coalesce(p_object -> 'amount', p_object -> 'amount_total'),
    'currency', p_object -> 'currency', 'livemode', p_object -> 'livemode', 'status', p_object -> 'status',
    'payment_intent', p_object -> 'payment_intent'));
  select 'quarantined'::app.event_outcome
$function$;

CREATE OR REPLACE FUNCTION app.queue_notifications(p_max integer DEFAULT 5000)
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with taken as (
    delete from app.outbox where id in (
      select id from app.outbox where user_id is not null order by id limit p_max for update skip locked)
    returning *
  ), queued as (
    insert into public.notifications (outbox_id, event, user_id, subject_id, details, happened_at)
    select id, event, user_id, subject_id, details, created_at from taken
    returning 1
  )
  select count(*) from queued
$function$;

CREATE OR REPLACE FUNCTION app.rank_tickets(p_seed bytea, p_tickets integer, p_places integer)
 RETURNS integer[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_order integer[] := array(select generate_series(0, p_tickets - 1));
  v_index integer := 0;
  v_word numeric;
  v_at integer;
  v_first integer;
begin
  for v_place in 1..least(p_places, p_tickets) loop
    loop
      v_word := app.word_of(p_seed, v_index);
      v_index := v_index + 1;
      exit when v_word < app.fair_words(p_tickets - v_place + 1);
    end loop;
    v_at := v_place + v_word % (p_tickets - v_place + 1);
    v_first := v_order[v_place];
    v_order[v_place] := v_order[v_at];
    v_order[v_at] := v_first;
  end loop;
  return v_order[1:p_places];
end
$function$;

CREATE OR REPLACE FUNCTION app.recall_purchase(p_user_id uuid, p_key text, p_wallet jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
begin
  select * into strict v_purchase from public.purchases where id = app.subject_of_key(p_user_id, 'purchase', p_key);
  v_purchase.status := 'CONFIRMED';
  v_purchase.redeemed := v_purchase.redeem;
  v_purchase.failure_code := null;
  return jsonb_build_object(
    'purchase', app.describe_purchase(v_purchase),
    'tickets', case when v_purchase.redeem then (
      select jsonb_agg(ticket - 'voided') from jsonb_array_elements(app.describe_tickets(v_purchase)) as ticket) else '[]' end,
    'wallet', jsonb_build_object('balance_cents', p_wallet -> 0, 'available_cents', p_wallet -> 1, 'currency', v_purchase.currency));
end
$function$;

CREATE OR REPLACE FUNCTION app.receive_purchase(p_purchase public.purchases, p_intent jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_account_id bigint;
begin
  if exists (select from app.card_payments where intent_id = p_purchase.provider_txn_id) then
    return false;
  end if;
  if p_purchase.status = 'PENDING' then
    perform app.confirm_purchase(p_purchase, app.seats_of(p_purchase.id), true);
  elsif not app.honour_late_payment(p_purchase) then
    v_account_id := app.account_of('REFUNDS_DUE', p_purchase.currency);
  end if;
  perform app.record_card_payment(p_purchase.provider_txn_id,
    coalesce(v_account_id, app.account_of('USER', p_purchase.currency, p_purchase.user_id)),
    p_purchase.amount_cents, p_purchase.currency, p_intent);
  if v_account_id is not null then
    perform app.refund_late_payment(p_purchase, v_account_id);
  end if;
  perform app.apply_quarantined(p_purchase.provider_txn_id);
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.receive_stripe_event(p_event jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_id text := p_event ->> 'id';
  v_type text := p_event ->> 'type';
  v_object jsonb := p_event #> '{data,object}';
  v_outcome app.event_outcome;
begin
  if v_type not in ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.async_payment_succeeded',
    'checkout.session.async_payment_failed', 'payment_intent.succeeded', 'payment_intent.payment_failed',
    'payment_intent.canceled', 'charge.refunded', 'refund.created', 'refund.updated', 'refund.failed',
    'charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.closed', 'payout.paid', 'payout.failed',
    'payout.canceled', 'transfer.created', 'transfer.reversed')
  then
    return jsonb_build_object('event_id', v_id, 'outcome', 'ignored');
  end if;
  insert into app.stripe_events (id, type, account, object_id, intent_id, object, created_at)
  values (v_id, v_type, p_event ->> 'account', v_object ->> 'id', v_object ->> 'payment_intent',
    app.pare(v_object), to_timestamp((p_event ->> 'created')::bigint))
  on conflict (id) do nothing;
  if not found then
    return jsonb_build_object('event_id', v_id, 'outcome', 'duplicate');
  end if;
  v_outcome := app.apply_stripe_object(v_object, v_type, p_event ->> 'account');
  update app.stripe_events set outcome = v_outcome where id = v_id;
  return jsonb_build_object('event_id', v_id, 'outcome', v_outcome);
end
$function$;
grant execute on function app.receive_stripe_event(p_event jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.receive_topup(p_topup public.wallet_topups, p_intent_id text, p_object jsonb)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if p_intent_id is null or p_intent_id is distinct from coalesce(p_topup.intent_id, p_intent_id) then
    return app.quarantine(p_object, 'another payment');
  end if;
  perform app.record_card_payment(p_intent_id, p_topup.account_id, p_topup.amount_cents, p_topup.currency, p_object);
  perform app.complete_topup(p_topup, p_intent_id);
  perform app.apply_quarantined(p_intent_id);
  return 'applied';
end
$function$;

CREATE OR REPLACE FUNCTION app.recent_destinations(p_days integer)
 RETURNS text[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select array(select distinct destination from public.wallet_withdrawals
    where created_at > app.clock() - make_interval(days => p_days) and transfer_id is not null)
$function$;
grant execute on function app.recent_destinations(p_days integer) to service_role;

CREATE OR REPLACE FUNCTION app.record_card_payment(p_intent_id text, p_account_id bigint, p_amount_cents bigint, p_currency text, p_object jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.lock_payment(p_intent_id);
  insert into app.card_payments (intent_id, account_id, amount_cents, currency, livemode)
  values (p_intent_id, p_account_id, p_amount_cents, p_currency, (p_object ->> 'livemode')::boolean)
$function$;

CREATE OR REPLACE FUNCTION app.record_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_old jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_new jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  v_before jsonb := v_old;
  v_after jsonb := v_new;
begin
  if tg_op = 'UPDATE' then
    select jsonb_object_agg(key, v_old -> key), jsonb_object_agg(key, v_new -> key)
    into v_before, v_after
    from jsonb_object_keys(v_new) as key
    where key <> 'updated_at' and v_old -> key is distinct from v_new -> key;
    if v_before is null then
      return null;
    end if;
  end if;
  insert into public.audit_log (actor_id, actor_kind, action, subject_table, subject_id, before, after)
  values (auth.uid(), app.actor_kind(), lower(tg_op), tg_table_name,
    coalesce(v_new, v_old) ->> tg_argv[0], v_before, v_after);
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.record_customer(p_user_id uuid, p_customer_id text)
 RETURNS text
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into app.stripe_customers (user_id, customer_id) values (p_user_id, p_customer_id)
  on conflict (user_id) do nothing;
  select customer_id from app.stripe_customers where user_id = p_user_id
$function$;
grant execute on function app.record_customer(p_user_id uuid, p_customer_id text) to service_role;

CREATE OR REPLACE FUNCTION app.record_lottery_result(p_lottery_id uuid, p_draw_date date, p_winning_number text, p_series text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('operator');
  return app.enter_lottery_result(p_lottery_id, p_draw_date, p_winning_number, p_series, 'OPERATOR', auth.uid());
end
$function$;
grant execute on function app.record_lottery_result(p_lottery_id uuid, p_draw_date date, p_winning_number text, p_series text) to authenticated;

CREATE OR REPLACE FUNCTION app.record_lottery_winners(p_raffle public.raffles, p_number integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into public.winners (raffle_id, place, ticket_num, display_name, amount_cents, figures)
  with tiers as (
    select (tier ->> 'figures')::integer as figures, (tier ->> 'amount_cents')::bigint as cents
    from jsonb_array_elements(p_raffle.prize_tiers) as tier where tier ? 'figures'
  ), reached as (
    select t.ticket_num, t.user_id, max(tiers.figures) as figures
    from public.tickets t left join tiers on t.ticket_num <> p_number
      and t.ticket_num % (10 ^ tiers.figures)::bigint = p_number % (10 ^ tiers.figures)::bigint
    where t.raffle_id = p_raffle.id
    group by t.ticket_num, t.user_id having t.ticket_num = p_number or max(tiers.figures) is not null
  ), shared as (
    select r.*, tiers.cents / count(*) over (partition by r.figures) as share
    from reached r left join tiers on tiers.figures = r.figures
  )
  select p_raffle.id, case when ticket_num = p_number then 1
      else 1 + row_number() over (partition by ticket_num = p_number order by s.figures desc, ticket_num) end,
    ticket_num, p.display_name,
    case when ticket_num = p_number then app.prize_money(p_raffle, 1) else share end, s.figures
  from shared s left join public.profiles p on p.id = s.user_id
  where ticket_num = p_number or share > 0;
end
$function$;

CREATE OR REPLACE FUNCTION app.record_notifications(p_sent uuid[], p_skipped uuid[], p_failed jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.end_notifications(p_sent, 'SENT');
  perform app.end_notifications(p_skipped, 'SKIPPED');
  update public.notifications n set failure = left(f.value, 500)
  from jsonb_each_text(p_failed) f where n.id = f.key::uuid and n.status = 'QUEUED';
  perform app.end_notifications(array(
    select n.id from public.notifications n join jsonb_object_keys(p_failed) f on n.id = f::uuid where n.attempts > 5), 'DEAD');
end
$function$;
grant execute on function app.record_notifications(p_sent uuid[], p_skipped uuid[], p_failed jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.record_purchase_failure(p_purchase_id uuid, p_key text, p_code text, p_refused boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
begin
  perform app.lock_purchase_key(p_purchase_id, p_key);
  update public.purchases set attempt = attempt + p_refused::integer,
    failure_code = case status when 'PENDING' then p_code else failure_code end
  where id = p_purchase_id;
  select user_id into v_user_id from public.purchases where id = p_purchase_id;
  perform app.release_key(v_user_id, 'purchase', p_key);
end
$function$;
grant execute on function app.record_purchase_failure(p_purchase_id uuid, p_key text, p_code text, p_refused boolean) to service_role;

CREATE OR REPLACE FUNCTION app.record_purchase_payment(p_purchase_id uuid, p_key text, p_intent jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
begin
  perform app.lock_purchase_key(p_purchase_id, p_key);
  select * into strict v_purchase from public.purchases where id = p_purchase_id for update;
  if v_purchase.status = 'PENDING' and coalesce(v_purchase.provider_txn_id, p_intent ->> 'id') = p_intent ->> 'id' then
    update public.purchases set provider_txn_id = p_intent ->> 'id', livemode = (p_intent ->> 'livemode')::boolean,
      check_at = expires_at, failure_code = null
    where id = p_purchase_id
    returning * into v_purchase;
  end if;
  if v_purchase.status not in ('PENDING', 'CONFIRMED') or v_purchase.provider_txn_id is distinct from p_intent ->> 'id' then
    return null; -- expired in the meantime
  end if;
  return app.store_answer(v_purchase.user_id, 'purchase', p_key, jsonb_build_object(
    'purchase', app.describe_purchase(v_purchase), 'tickets', app.describe_tickets(v_purchase),
    'payment', jsonb_build_object('provider', 'stripe',
      'payment_intent_id', p_intent ->> 'id', 'client_secret', p_intent ->> 'client_secret')));
end
$function$;
grant execute on function app.record_purchase_payment(p_purchase_id uuid, p_key text, p_intent jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.record_seal(p_raffle public.raffles)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_hashes bytea := app.hash_tickets(p_raffle.id);
  v_blocks bytea := app.fold_blocks(v_hashes);
  v_root bytea := app.root_of(v_blocks);
  v_chain app.beacon_chains;
  v_sealed_at timestamptz := clock_timestamp();
  v_round bigint;
begin
  if p_raffle.draw_method = 'BEACON' then
    select * into strict v_chain from app.beacon_chains where in_use;
    v_round := app.round_from(v_chain, v_sealed_at + interval '60 seconds');
  end if;
  insert into public.draws (raffle_id, ticket_count, ticket_root, chain_hash, round, round_at, sealed_at)
  values (p_raffle.id, length(v_hashes) / 32, encode(v_root, 'hex'), v_chain.hash, v_round,
    v_chain.genesis + make_interval(secs => (v_round - 1) * v_chain.period_seconds), v_sealed_at);
  insert into app.draw_blocks (raffle_id, hashes) values (p_raffle.id, v_blocks);
  if p_raffle.draw_method = 'LOTTERY' then
    perform app.await_lottery(p_raffle, p_raffle.lottery_draw_date);
  end if;
  perform app.tell('raffle_sealed', null, p_raffle.id);
end
$function$;

CREATE OR REPLACE FUNCTION app.record_topup(p_topup_id uuid, p_key text, p_object jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_topup public.wallet_topups;
  v_answer jsonb;
begin
  -- The key before the top-up, as begin_topup does.
  perform from app.idempotency_keys
  where user_id = (select user_id from public.wallet_topups where id = p_topup_id) and endpoint = 'topup' and key = p_key
  for update;
  select * into strict v_topup from public.wallet_topups where id = p_topup_id for update;
  if v_topup.provider_txn_id is null and v_topup.status = 'CREATED' then
    v_topup := app.adopt_topup(v_topup, p_object);
  elsif v_topup.provider_txn_id = p_object ->> 'id' and v_topup.status = 'FAILED' then
    update public.wallet_topups set status = 'PROCESSING', failure_code = null, check_at = app.clock() + interval '5 minutes'
    where id = p_topup_id
    returning * into v_topup;
  end if;
  if v_topup.provider_txn_id is distinct from p_object ->> 'id' then
    return null; -- swept away, or begun anew, in the meantime
  end if;
  v_answer := jsonb_build_object('topup', app.describe_topup(v_topup)) || case v_topup.method
    when 'checkout' then jsonb_build_object('checkout_url', p_object ->> 'url')
    else jsonb_build_object('payment', jsonb_build_object('provider', 'stripe',
      'payment_intent_id', p_object ->> 'id', 'client_secret', p_object ->> 'client_secret')) end;
  return app.store_answer(v_topup.user_id, 'topup', p_key, v_answer);
end
$function$;
grant execute on function app.record_topup(p_topup_id uuid, p_key text, p_object jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.record_topup_failure(p_topup_id uuid, p_key text, p_code text, p_refused boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid;
begin
  update public.wallet_topups set attempt = attempt + p_refused::integer,
    failure_code = case status when 'CREATED' then p_code else failure_code end
  where id = p_topup_id;
  select user_id into v_user_id from public.wallet_topups where id = p_topup_id;
  perform app.release_key(v_user_id, 'topup', p_key);
end
$function$;
grant execute on function app.record_topup_failure(p_topup_id uuid, p_key text, p_code text, p_refused boolean) to service_role;

CREATE OR REPLACE FUNCTION app.record_winners(p_raffle_id uuid, p_from integer, p_to integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into public.winners (raffle_id, place, ticket_num, display_name, amount_cents)
  select p_raffle_id, place, t.ticket_num, p.display_name, app.prize_money(r, place::integer)
  from unnest(app.drawn_numbers(p_raffle_id, p_to)) with ordinality as drawn (num, place)
  join public.tickets t on t.raffle_id = p_raffle_id and t.ticket_num = num
  join public.raffles r on r.id = p_raffle_id
  left join public.profiles p on p.id = t.user_id
  where place >= p_from;
end
$function$;

CREATE OR REPLACE FUNCTION app.redeem_seats(p_purchase public.purchases, p_raffle public.raffles, p_numbers integer[])
 RETURNS json
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_seats app.seats[] := app.seats_of(p_purchase.id);
  v_numbers integer[];
begin
  if p_raffle.numbering <> 'PICK' then
    v_numbers := app.numbers_of(p_raffle, v_seats);
  else
    v_numbers := array(select num from app.number_claims where purchase_id = p_purchase.id);
    if cardinality(v_numbers) > 0 and not p_numbers <@ v_numbers then
      perform app.fail_field('numbers', 'were chosen when this was bought, and stay');
    elsif cardinality(v_numbers) = 0 and p_numbers is not null then
      v_numbers := app.claim_numbers(p_raffle, p_purchase.id, p_numbers);
    elsif cardinality(v_numbers) = 0 then
      v_numbers := app.claim_lucky_numbers(p_raffle, p_purchase.id, p_purchase.quantity);
    end if;
  end if;
  delete from app.reservations where purchase_id = p_purchase.id;
  update public.purchases set redeemed = true where id = p_purchase.id;
  return app.issue_tickets(p_purchase.id, p_purchase.user_id, p_raffle.id, v_numbers);
end
$function$;

CREATE OR REPLACE FUNCTION app.redeem_ticket(p_key text, p_purchase_id uuid, p_numbers integer[], p_request jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_answer jsonb := app.claim_key(v_user_id, 'redeem-ticket', p_key, p_request);
  v_purchase public.purchases;
  v_raffle public.raffles;
  v_tickets json;
begin
  if v_answer is not null then
    return jsonb_build_object('replayed', true, 'answer', v_answer);
  end if;
  perform app.take_token('money', v_user_id);
  perform app.enter_raffle((select raffle_id from public.purchases where id = p_purchase_id));
  v_purchase := app.redeemable_purchase(v_user_id, p_purchase_id);
  -- Sealing locks every lane: it waits for this, or this finds its lane closed.
  perform from app.raffle_lanes
  where raffle_id = v_purchase.raffle_id and lane_no in (select lane_no from unnest(app.seats_of(v_purchase.id)))
  order by lane_no for share;
  select * into strict v_raffle from public.raffles where id = v_purchase.raffle_id;
  if v_raffle.state not in ('OPEN', 'FULL') or app.clock() > v_raffle.closes_at then
    perform app.fail('raffle_not_open');
  end if;
  if p_numbers is not null and (v_raffle.numbering <> 'PICK' or cardinality(p_numbers) <> v_purchase.quantity) then
    perform app.fail_field('numbers', 'must be as many as were bought, in a raffle where numbers are chosen');
  end if;
  perform app.check_numbers(p_numbers);
  v_tickets := app.redeem_seats(v_purchase, v_raffle, p_numbers);
  v_purchase.redeemed := true;
  return jsonb_build_object('replayed', false, 'answer', app.store_answer(v_user_id, 'redeem-ticket', p_key,
    jsonb_build_object('purchase', app.describe_purchase(v_purchase), 'tickets', v_tickets)));
end
$function$;
grant execute on function app.redeem_ticket(p_key text, p_purchase_id uuid, p_numbers integer[], p_request jsonb) to authenticated;

CREATE OR REPLACE FUNCTION app.redeemable_purchase(p_user_id uuid, p_purchase_id uuid)
 RETURNS public.purchases
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
begin
  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = p_user_id for update;
  if not found then
    perform app.fail('purchase_not_found');
  elsif v_purchase.status = 'PENDING' then
    perform app.fail('purchase_not_confirmed');
  elsif v_purchase.status <> 'CONFIRMED' then
    perform app.fail('purchase_not_redeemable');
  elsif v_purchase.redeemed then
    perform app.fail('purchase_already_redeemed');
  end if;
  return v_purchase;
end
$function$;

CREATE OR REPLACE FUNCTION app.refresh_popular()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended('refresh_popular', 0));
  delete from app.popular_raffles;
  insert into app.popular_raffles (raffle_id, sold_lately)
  select r.id, sum(p.quantity) from public.raffles r
  join public.purchases p on p.raffle_id = r.id and p.status = 'CONFIRMED' and p.created_at > app.clock() - interval '1 day'
  where r.state in ('OPEN', 'FULL')
  group by r.id;
end
$function$;

CREATE OR REPLACE FUNCTION app.refund_cancelled()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select coalesce(sum(app.refund_purchases(id)), 0)::bigint from (
    select id from public.raffles r where state = 'CANCELLED'
      and exists (select from public.purchases p where p.raffle_id = r.id and p.status = 'CONFIRMED')
    order by id limit 10
  ) unfinished
$function$;

CREATE OR REPLACE FUNCTION app.refund_late_payment(p_purchase public.purchases, p_account_id bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.post_transaction('REFUND', array[
    (app.account_of('STRIPE_CLEARING', p_purchase.currency), -p_purchase.amount_cents), (p_account_id, p_purchase.amount_cents)
  ]::app.posting[], p_purchase_id => p_purchase.id, p_raffle_id => p_purchase.raffle_id,
    p_external_id => p_purchase.provider_txn_id);
  insert into app.card_refunds (intent_id, purchase_id, amount_cents)
  values (p_purchase.provider_txn_id, p_purchase.id, p_purchase.amount_cents);
  update public.purchases set status = 'REFUNDED', failure_code = 'paid_too_late', check_at = null where id = p_purchase.id;
  perform app.tell('purchase_refunded', p_purchase.user_id, p_purchase.id);
end
$function$;

CREATE OR REPLACE FUNCTION app.refund_purchases(p_raffle_id uuid, p_max integer DEFAULT 200000)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_items app.payout_item[];
  v_currency text := (select currency from public.raffles where id = p_raffle_id and state = 'CANCELLED');
begin
  insert into public.wallet_accounts (kind, user_id, currency, balance_cents, held_cents, debt_cents)
  select distinct 'USER'::public.account_kind, user_id, v_currency, 0, 0, 0
  from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED' and payment_method = 'card'
  on conflict on constraint wallet_accounts_once do nothing;

  with refunded as (
    update public.purchases set status = 'REFUNDED'
    where id in (select id from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED' limit p_max for update)
    returning id, user_id, amount_cents
  ), told as (
    insert into app.outbox (event, user_id, subject_id)
    select 'purchase_refunded', user_id, id from refunded
  )
  select array_agg((a.id, r.amount_cents, r.id)::app.payout_item) into v_items
  from refunded r join public.wallet_accounts a on a.kind = 'USER' and a.user_id = r.user_id and a.currency = v_currency;
  if v_items is null then
    return 0;
  end if;
  perform app.post_payouts('REFUND', app.account_of('RAFFLE_ESCROW', v_currency, null, p_raffle_id), v_items, p_raffle_id);
  return cardinality(v_items);
end
$function$;

CREATE OR REPLACE FUNCTION app.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'insufficient_privilege';
end
$function$;

CREATE OR REPLACE FUNCTION app.refuse_deletion()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  raise exception '% are never deleted once they are published', tg_table_name using errcode = 'insufficient_privilege';
end
$function$;

CREATE OR REPLACE FUNCTION app.refuse_payment(p_user_id uuid, p_currency text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_wallet public.wallet_accounts;
begin
  select * into v_wallet from public.wallet_accounts where kind = 'USER' and user_id = p_user_id and currency = p_currency;
  if v_wallet.status = 'SUSPENDED' then
    perform app.fail('wallet_suspended');
  elsif not found and exists (select from public.wallet_accounts where kind = 'USER' and user_id = p_user_id) then
    perform app.fail('currency_mismatch', jsonb_build_object('currency', p_currency));
  end if;
  perform app.fail('balance_insufficient', jsonb_build_object(
    'available_cents', coalesce(v_wallet.balance_cents - v_wallet.held_cents, 0), 'currency', p_currency));
end
$function$;

CREATE OR REPLACE FUNCTION app.refuse_purchase(p_purchase_id uuid, p_key text, p_code text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_purchase public.purchases;
begin
  perform app.lock_purchase_key(p_purchase_id, p_key);
  perform app.enter_raffle((select raffle_id from public.purchases where id = p_purchase_id));
  select * into strict v_purchase from public.purchases where id = p_purchase_id for update;
  if v_purchase.status = 'PENDING' and v_purchase.provider_txn_id is null then
    perform app.end_reservation(v_purchase, 'FAILED', p_code);
  end if;
  perform app.release_key(v_purchase.user_id, 'purchase', p_key);
end
$function$;
grant execute on function app.refuse_purchase(p_purchase_id uuid, p_key text, p_code text) to service_role;

CREATE OR REPLACE FUNCTION app.refuse_withdrawal(p_withdrawal_id uuid, p_code text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_withdrawal public.wallet_withdrawals;
begin
  select * into strict v_withdrawal from public.wallet_withdrawals where id = p_withdrawal_id for update;
  if app.fail_withdrawal(v_withdrawal, p_code) then
    perform app.alert_operators('withdrawal_refused', p_withdrawal_id::text, jsonb_build_object(
      'code', p_code, 'destination', v_withdrawal.destination, 'user_id', v_withdrawal.user_id));
  end if;
end
$function$;
grant execute on function app.refuse_withdrawal(p_withdrawal_id uuid, p_code text) to service_role;

CREATE OR REPLACE FUNCTION app.reinstate_wallet(p_user_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_power_over(p_user_id, 'operator');
  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id for no key update;
  update public.wallet_accounts set suspended_reason = null
  where user_id = p_user_id and kind = 'USER' and suspended_reason is not null;
end
$function$;
grant execute on function app.reinstate_wallet(p_user_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.release_hold(p_hold_id bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_hold public.wallet_holds := app.resolve_hold(p_hold_id, 'RELEASED');
begin
  perform app.collect_debts(array[(v_hold.account_id, 0)::app.posting]);
end
$function$;

CREATE OR REPLACE FUNCTION app.release_key(p_user_id uuid, p_endpoint text, p_key text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update app.idempotency_keys set leased_until = '-infinity'
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key and answer is null
$function$;

CREATE OR REPLACE FUNCTION app.remind_prizes()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with due as (
    select raffle_id, place, case when claim_until - app.clock() <= interval '1 day' then 2 else 1 end as reminder
    from public.prize_claims
    where status = 'OFFERED' and claim_until between app.clock() and app.clock() + interval '7 days'
  ), reminded as (
    update public.prize_claims c set reminders = due.reminder
    from due where c.raffle_id = due.raffle_id and c.place = due.place and c.status = 'OFFERED' and c.reminders < due.reminder
    returning c.*
  ), told as (
    insert into app.outbox (event, user_id, subject_id, details)
    select 'prize_reminder', user_id, raffle_id, jsonb_build_object('place', place) from reminded
    returning 1
  )
  select count(*) from told
$function$;

CREATE OR REPLACE FUNCTION app.report_denial(p_object text, p_id text, p_fact jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.alert_operators('stripe_denies', p_id, jsonb_build_object('object', p_object, 'stripe', p_fact))
$function$;
grant execute on function app.report_denial(p_object text, p_id text, p_fact jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.report_health()
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'time', app.clock(),
    'failing_jobs', app.failing_jobs(),
    'late_jobs', app.late_jobs(),
    'ages', (select jsonb_object_agg(name, floor(extract(epoch from clock_timestamp() - last_succeeded_at))) from public.jobs),
    'messages_wait', app.messages_wait(),
    'violations', (select count(*) from public.operator_alerts where kind = 'invariant' and resolved_at is null))
$function$;
grant execute on function app.report_health() to anon;
grant execute on function app.report_health() to authenticated;
grant execute on function app.report_health() to service_role;

CREATE OR REPLACE FUNCTION app.report_late_draw(p_raffle_id uuid, p_failures jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if exists (select from public.draws
    where raffle_id = p_raffle_id and randomness is null and round_at < clock_timestamp() - interval '2 minutes')
  then
    perform app.alert_operators('draw_late', p_raffle_id::text, jsonb_build_object('relays', p_failures));
  end if;
end
$function$;
grant execute on function app.report_late_draw(p_raffle_id uuid, p_failures jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.request_card_refund(p_purchase_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_purchase public.purchases;
  v_due bigint;
begin
  perform app.take_token('money', v_user_id);
  select * into v_purchase from public.purchases where id = p_purchase_id and user_id = v_user_id for update;
  if not found then
    perform app.fail('purchase_not_found');
  end if;
  -- Before the account, as those do who take a payment back: what they do meanwhile is seen below.
  perform from app.card_payments where intent_id = v_purchase.provider_txn_id for update;
  if v_purchase.status <> 'REFUNDED' or v_purchase.payment_method <> 'card'
    or exists (select from app.card_refunds where purchase_id = p_purchase_id)
    or not exists (select from app.card_payments where intent_id = v_purchase.provider_txn_id and taken_cents = 0)
  then
    perform app.fail('refund_not_available');
  end if;
  v_due := app.account_of('REFUNDS_DUE', v_purchase.currency);
  perform app.post_transaction('REFUND', array[
    (app.account_of('USER', v_purchase.currency, v_user_id), -v_purchase.amount_cents), (v_due, v_purchase.amount_cents)
  ]::app.posting[], p_purchase_id => v_purchase.id, p_raffle_id => v_purchase.raffle_id);
  update app.card_payments set account_id = v_due where intent_id = v_purchase.provider_txn_id;
  insert into app.card_refunds (intent_id, purchase_id, amount_cents)
  values (v_purchase.provider_txn_id, p_purchase_id, v_purchase.amount_cents);
  return jsonb_build_object('purchase', app.describe_purchase(v_purchase));
end
$function$;
grant execute on function app.request_card_refund(p_purchase_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION app.requeue_notifications(p_ids uuid[])
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_count bigint;
begin
  perform app.require_role('operator');
  with queued as (
    update public.notifications set status = 'QUEUED', attempts = 0, due_at = clock_timestamp(), ended_at = null
    where id = any (p_ids) and status = 'DEAD'
    returning 1
  )
  select count(*) into v_count from queued;
  if v_count = 0 then
    perform app.fail('notification_not_found');
  end if;
  return v_count;
end
$function$;
grant execute on function app.requeue_notifications(p_ids uuid[]) to authenticated;

CREATE OR REPLACE FUNCTION app.require_active_wallet(p_account_id bigint)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if exists (select from public.wallet_accounts where id = p_account_id and status = 'SUSPENDED') then
    perform app.fail('wallet_suspended');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.require_currency(p_currency text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if not exists (select from public.currencies where code = p_currency) then
    perform app.fail_field('currency', 'is not a currency we know');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.require_deposit(p_account_id bigint, p_amount_cents bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if exists (select from public.profiles where id = app.active_user() and self_excluded_until > app.clock()) then
    perform app.fail('self_excluded');
  end if;
  perform app.check_deposit_limits(p_account_id, p_amount_cents);
end
$function$;

CREATE OR REPLACE FUNCTION app.require_note(p_field text, p_note text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if coalesce(length(btrim(p_note)), 0) not between 1 and 500 then
    perform app.fail_field(p_field, 'must have 1 to 500 characters');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.require_player(p_user_id uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_minimum_age integer := app.setting('minimum_age');
  v_fault text := (
    select app.find_fault(p.status, u.email_confirmed_at, p.self_excluded_until, p.birth_date, v_minimum_age)
    from public.profiles p, auth.users u where p.id = p_user_id and u.id = p_user_id);
begin
  if v_fault is null then
    return app.require_player(app.signed_in_user()); -- makes a lost profile anew, or refuses
  elsif v_fault = 'account_suspended' then
    perform app.fail('account_suspended');
  elsif v_fault = 'email_unverified' then
    perform app.fail('email_unverified');
  elsif v_fault = 'self_excluded' then
    perform app.fail('self_excluded');
  elsif v_fault = 'age_restricted' then
    perform app.fail('age_restricted', jsonb_build_object('minimum_age', v_minimum_age));
  end if;
  return p_user_id;
end
$function$;

CREATE OR REPLACE FUNCTION app.require_power_over(p_user_id uuid, p_role public.staff_role)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role(p_role);
  if exists (select from public.user_roles where user_id = p_user_id) then
    perform app.require_role('admin');
  end if;
  if p_user_id = auth.uid() then
    perform app.fail('not_permitted');
  end if;
  if not exists (select from public.profiles where id = p_user_id) then
    perform app.fail('user_not_found');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.require_role(p_role public.staff_role)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if not app.has_role(p_role) then
    perform app.fail('not_permitted');
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.require_sound_terms(p_raffle public.raffles)
 RETURNS void
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_issues jsonb := (select jsonb_agg(jsonb_build_object('path', path, 'message', message)) from app.find_faults(p_raffle));
begin
  if p_raffle.rake_cents < 0 then
    v_issues := coalesce(v_issues, '[]') || '[{"path":"category_id","message":"has a prize fund beyond what the raffle brings in"}]';
  end if;
  if v_issues is not null then
    perform app.fail('raffle_terms_invalid', jsonb_build_object('issues', v_issues));
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.reserve_for_card(p_order app.purchase_order)
 RETURNS public.purchases
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_taking app.taking := app.take_seats(p_order.raffle_id, p_order.quantity, true);
  v_raffle public.raffles := v_taking.raffle;
  v_purchase public.purchases;
begin
  insert into public.purchases (
    user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method, redeem, ticket_id, numbers,
    expires_at, check_at)
  values (
    p_order.user_id, p_order.raffle_id, p_order.type, 'PENDING', p_order.quantity, app.cost_of(p_order, v_raffle), v_raffle.currency,
    'card', p_order.redeem, p_order.ticket_id, p_order.numbers,
    -- Never beyond the closing: until then all numbers are chosen.
    least(app.clock() + make_interval(mins => app.setting('reservation_minutes')), v_raffle.closes_at),
    app.clock() + interval '2 minutes')
  returning * into v_purchase;
  if p_order.numbers is not null then
    perform app.claim_numbers(v_raffle, v_purchase.id, p_order.numbers);
  end if;
  perform app.reserve_seats(v_purchase.id, v_taking.seats);
  perform app.require_active_wallet(app.account_of('USER', v_raffle.currency, p_order.user_id));
  return v_purchase;
end
$function$;

CREATE OR REPLACE FUNCTION app.reserve_seats(p_purchase_id uuid, p_seats app.seats[])
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into app.reservations (purchase_id, lane_no, start_num, end_num)
  select p_purchase_id, lane_no, start_num, end_num from unnest(p_seats)
$function$;

CREATE OR REPLACE FUNCTION app.resolve_alert(p_alert_id bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('operator');
  update public.operator_alerts set resolved_at = app.clock(), resolved_by = auth.uid()
  where id = p_alert_id and resolved_at is null;
  if not found then
    perform app.fail('alert_not_found');
  end if;
end
$function$;
grant execute on function app.resolve_alert(p_alert_id bigint) to authenticated;

CREATE OR REPLACE FUNCTION app.resolve_hold(p_hold_id bigint, p_status public.hold_status)
 RETURNS public.wallet_holds
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_hold public.wallet_holds;
begin
  select * into strict v_hold from public.wallet_holds where id = p_hold_id for update;
  if v_hold.status <> 'ACTIVE' or (p_status = 'CAPTURED' and v_hold.expires_at <= app.clock()) then
    perform app.fail('hold_not_active');
  end if;
  update public.wallet_holds set status = p_status, resolved_at = app.clock() where id = p_hold_id;
  update public.wallet_accounts set held_cents = held_cents - v_hold.amount_cents where id = v_hold.account_id;
  return v_hold;
end
$function$;

CREATE OR REPLACE FUNCTION app.retry_after(p_attempts integer)
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select (array['1 minute', '5 minutes', '30 minutes', '2 hours', '12 hours']::interval[])[p_attempts]
$function$;

CREATE OR REPLACE FUNCTION app.return_seats(p_raffle_id uuid, p_seats app.seats[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_lane record;
begin
  for v_lane in
    select lane_no, sum(end_num - start_num + 1)::integer as seats from unnest(p_seats) group by lane_no order by lane_no
  loop
    update app.raffle_lanes set unpaid = unpaid - v_lane.seats, returned = returned + v_lane.seats
    where raffle_id = p_raffle_id and lane_no = v_lane.lane_no;
  end loop;
  insert into app.raffle_gaps (raffle_id, lane_no, start_num, end_num)
  select p_raffle_id, lane_no, start_num, end_num from unnest(p_seats);
end
$function$;

CREATE OR REPLACE FUNCTION app.reverse_transaction(p_transaction_id bigint, p_note text DEFAULT NULL::text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_entries public.wallet_ledger[] := array(
    select l from public.wallet_ledger l where transaction_id = p_transaction_id and reason <> 'TICKET_PURCHASE' order by id);
begin
  if cardinality(v_entries) = 0 then
    perform app.fail('transaction_not_found');
  end if;
  if exists (
    select from unnest(v_entries) e join public.wallet_accounts a on a.id = e.account_id where a.kind = 'RECEIVABLE'
  ) then
    raise exception 'app.reverse_transaction: a debt is given back by app.charge_back';
  end if;
  -- One at a time: of two that take the same back, the second finds it done.
  perform pg_advisory_xact_lock(hashtextextended('reverse ' || p_transaction_id, 0));
  if exists (select from public.wallet_ledger l join unnest(v_entries) e on l.reverses_id = e.id) then
    perform app.fail('transaction_already_reversed');
  end if;
  return app.post_transaction(
    v_entries[1].reason,
    array(select (e.account_id, case e.direction when 'CREDIT' then -e.amount_cents else e.amount_cents end)::app.posting
      from unnest(v_entries) with ordinality e order by e.ordinality),
    p_topup_id => v_entries[1].topup_id,
    p_withdrawal_id => v_entries[1].withdrawal_id,
    p_purchase_id => v_entries[1].purchase_id,
    p_raffle_id => v_entries[1].raffle_id,
    p_external_id => v_entries[1].external_id,
    p_note => coalesce(p_note, v_entries[1].note),
    p_reverses => array(select id from unnest(v_entries) with ordinality e order by e.ordinality),
    p_even_suspended => true);
end
$function$;

CREATE OR REPLACE FUNCTION app.revoke_role(p_user_id uuid, p_role public.staff_role)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('admin');
  lock table public.user_roles in share row exclusive mode;
  perform app.require_role('admin');
  delete from public.user_roles where user_id = p_user_id and role = p_role;
  if not exists (select from public.user_roles where role = 'admin') then
    perform app.fail('last_admin');
  end if;
end
$function$;
grant execute on function app.revoke_role(p_user_id uuid, p_role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION app.roll_up_balances()
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_mark app.ledger_mark;
begin
  select * into v_mark from app.ledger_mark for update;
  -- A number is drawn a moment before its transaction shows itself: hence the seconds.
  if v_mark.noted_at > clock_timestamp() - interval '10 seconds'
    or pg_snapshot_xmin(pg_current_snapshot()) < v_mark.noted_xmax
  then
    return false;
  end if;
  insert into public.house_balances as b (account_id, kind, raffle_id, currency, balance_cents)
  select a.id, a.kind, a.raffle_id, a.currency, sum(case l.direction when 'CREDIT' then l.amount_cents else -l.amount_cents end)
  from public.wallet_accounts a join public.wallet_ledger l on l.account_id = a.id
  where a.kind <> 'USER' and l.id > v_mark.rolled_up and l.id <= v_mark.noted
  group by a.id
  on conflict (account_id) do update set balance_cents = b.balance_cents + excluded.balance_cents;
  update app.ledger_mark set rolled_up = v_mark.noted, noted_at = clock_timestamp(),
    noted = coalesce((select last_value from public.wallet_ledger_id_seq), 0),
    noted_xmax = pg_snapshot_xmax(pg_current_snapshot());
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION app.root_of(p_hashes bytea)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if length(p_hashes) = 0 then
    return sha256('');
  end if;
  while length(p_hashes) > 32 loop
    p_hashes := app.fold_hashes(p_hashes);
  end loop;
  return p_hashes;
end
$function$;

CREATE OR REPLACE FUNCTION app.round_from(p_chain app.beacon_chains, p_time timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return greatest(1, ceil(extract(epoch from p_time - p_chain.genesis) / p_chain.period_seconds) + 1)::bigint;
end
$function$;

CREATE OR REPLACE FUNCTION app.salt_of(p_raffle_id uuid, p_ticket_num integer)
 RETURNS bytea
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return substring(extensions.hmac('salt ' || p_ticket_num,
    (select key from app.raffle_keys where raffle_id = p_raffle_id), 'sha256') for 16);
end
$function$;

CREATE OR REPLACE FUNCTION app.schedule_jobs()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_version integer[] := (select regexp_match(extversion, '^(\d+)\.(\d+)') from pg_extension where extname = 'pg_cron');
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule(name, case when v_version < '{1,5}' and schedule like '%seconds' then '* * * * *' else schedule end, command)
    from public.jobs;
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION app.seal_raffle(p_raffle_id uuid)
 RETURNS public.raffle_state
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
begin
  perform app.clear_raffle(p_raffle_id);
  perform from app.raffle_lanes where raffle_id = p_raffle_id order by lane_no for update;
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  if not (v_raffle.state = 'FULL' or v_raffle.state = 'OPEN' and v_raffle.closes_at <= clock_timestamp()) then
    return null;
  end if;
  if v_raffle.min_tickets > (
    select coalesce(sum(quantity), 0) from public.purchases where raffle_id = p_raffle_id and status = 'CONFIRMED')
  then
    perform app.stop_raffle(p_raffle_id, 'Fewer tickets were sold than its minimum.', 'minimum_not_reached');
    perform app.refund_purchases(p_raffle_id);
    return 'CANCELLED';
  end if;
  perform app.end_sales(v_raffle);
  perform app.record_seal(v_raffle);
  update public.raffles set state = 'CLOSED' where id = p_raffle_id;
  return 'CLOSED';
end
$function$;
grant execute on function app.seal_raffle(p_raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.sealed_draw(p_raffle_id uuid)
 RETURNS public.draws
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_draw public.draws;
begin
  select * into v_draw from public.draws where raffle_id = p_raffle_id;
  if not found and exists (select from public.raffles where id = p_raffle_id and published_at is not null) then
    perform app.fail('raffle_not_sealed');
  elsif not found then
    perform app.fail('raffle_not_found');
  end if;
  return v_draw;
end
$function$;

CREATE OR REPLACE FUNCTION app.seats_of(p_purchase_id uuid)
 RETURNS app.seats[]
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select array_agg((lane_no, start_num, end_num)::app.seats order by lane_no, start_num)
  from app.reservations where purchase_id = p_purchase_id
$function$;

CREATE OR REPLACE FUNCTION app.seed_of(p_raffle_id uuid, p_root bytea, p_round bigint, p_randomness bytea)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return sha256(convert_to('rafflebase-draw-v1', 'utf8') || uuid_send(p_raffle_id) || p_root || int8send(p_round) || p_randomness);
end
$function$;

CREATE OR REPLACE FUNCTION app.send_prize(p_raffle_id uuid, p_place integer, p_status public.prize_claim_status, p_tracking text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_claim public.prize_claims;
begin
  perform app.require_role('operator');
  if p_status is null or p_status not in ('SHIPPED', 'DELIVERED') then
    perform app.fail_field('status', 'must be SHIPPED or DELIVERED');
  elsif length(p_tracking) not between 1 and 500 then
    perform app.fail_field('tracking', 'must have from 1 to 500 characters');
  end if;
  select * into v_claim from public.prize_claims where raffle_id = p_raffle_id and place = p_place for update;
  if not found then
    perform app.fail('prize_not_found');
  elsif v_claim.status = 'CLAIMED'
    and exists (select from public.wallet_accounts where user_id = v_claim.user_id and status = 'SUSPENDED')
  then
    perform app.fail('prize_not_sendable');
  end if;
  update public.prize_claims set status = p_status, sent_by = auth.uid(), tracking = coalesce(p_tracking, tracking)
  where raffle_id = p_raffle_id and place = p_place
  returning * into v_claim;
  perform app.tell('prize_sent', v_claim.user_id, p_raffle_id, jsonb_build_object(
    'place', p_place, 'status', p_status, 'tracking', v_claim.tracking));
end
$function$;
grant execute on function app.send_prize(p_raffle_id uuid, p_place integer, p_status public.prize_claim_status, p_tracking text) to authenticated;

CREATE OR REPLACE FUNCTION app.set_account_status(p_user_id uuid, p_status public.account_status)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_power_over(p_user_id, 'operator');
  perform app.take_turn(p_user_id);
  update public.profiles set status = p_status where id = p_user_id;
end
$function$;
grant execute on function app.set_account_status(p_user_id uuid, p_status public.account_status) to authenticated;

CREATE OR REPLACE FUNCTION app.set_kyc_status(p_user_id uuid, p_status public.kyc_status)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_power_over(p_user_id, 'operator');
  update public.profiles set kyc_status = p_status where id = p_user_id;
end
$function$;
grant execute on function app.set_kyc_status(p_user_id uuid, p_status public.kyc_status) to authenticated;

CREATE OR REPLACE FUNCTION app.set_lottery_date(p_lottery_id uuid, p_draw_date date, p_takes_place boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_role('admin');
  perform from public.lotteries where id = p_lottery_id for update;
  if not found then
    perform app.fail('lottery_not_found');
  elsif p_draw_date is null or p_takes_place is null then
    perform app.fail_field(case when p_draw_date is null then 'draw_date' else 'takes_place' end, 'is needed');
  elsif exists (select from public.raffles where lottery_id = p_lottery_id and lottery_draw_date = p_draw_date
      and state in ('OPEN', 'FULL', 'CLOSED'))
    or exists (select from public.lottery_draws where lottery_id = p_lottery_id and draw_date = p_draw_date)
  then
    perform app.fail('lottery_date_in_use');
  end if;
  insert into public.lottery_dates (lottery_id, draw_date, takes_place) values (p_lottery_id, p_draw_date, p_takes_place)
  on conflict (lottery_id, draw_date) do update set takes_place = excluded.takes_place;
end
$function$;
grant execute on function app.set_lottery_date(p_lottery_id uuid, p_draw_date date, p_takes_place boolean) to authenticated;

CREATE OR REPLACE FUNCTION app.set_payout_account(p_user_id uuid, p_account text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_power_over(p_user_id, 'operator');
  update public.profiles set payout_account = p_account where id = p_user_id;
end
$function$;
grant execute on function app.set_payout_account(p_user_id uuid, p_account text) to authenticated;

CREATE OR REPLACE FUNCTION app.set_play_limit(p_kind public.limit_kind, p_period public.limit_period, p_amount_cents bigint, p_currency text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_raised_from timestamptz := app.clock() + make_interval(hours => app.setting('limit_raise_delay_hours'));
  v_before public.play_limits;
  v_limit public.play_limits;
begin
  perform app.take_turn(v_user_id);
  perform app.take_token('account', v_user_id);
  perform app.require_currency(p_currency);
  select * into v_before from public.play_limits
  where user_id = v_user_id and kind = p_kind and period = p_period and currency = p_currency;
  insert into public.play_limits as l (user_id, kind, period, currency, amount_cents)
  values (v_user_id, p_kind, p_period, p_currency, p_amount_cents)
  on conflict (user_id, kind, period, currency) do update set
    amount_cents = least(p_amount_cents, app.limit_in_force(l)),
    pending_amount_cents = case when p_amount_cents > app.limit_in_force(l) then p_amount_cents end,
    -- Asking for the same again does not make anybody wait longer.
    pending_from = case
      when p_amount_cents = l.pending_amount_cents and l.pending_from > app.clock() then l.pending_from
      when p_amount_cents > app.limit_in_force(l) then v_raised_from end
  returning * into v_limit;
  if v_limit is not distinct from v_before then
    return; -- what was asked for is what there is
  end if;
  perform app.tell('limits_changed', v_user_id, null, jsonb_build_object('kind', p_kind, 'period', p_period,
    'pending_amount', app.decimal_of(v_limit.pending_amount_cents, p_currency), 'pending_from', v_limit.pending_from)
    || app.money_of(app.limit_in_force(v_limit), p_currency));
end
$function$;
grant execute on function app.set_play_limit(p_kind public.limit_kind, p_period public.limit_period, p_amount_cents bigint, p_currency text) to authenticated;

CREATE OR REPLACE FUNCTION app.set_setting(p_name text, p_value integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_setting app.settings;
begin
  perform app.require_role('admin');
  select * into v_setting from app.settings where name = p_name for update;
  if not found then
    perform app.fail('setting_not_found');
  end if;
  if p_value is null or p_value not between v_setting.minimum and v_setting.maximum then
    perform app.fail('request_invalid', jsonb_build_object(
      'minimum', v_setting.minimum, 'maximum', v_setting.maximum));
  end if;
  update app.settings set value = p_value where name = p_name;
end
$function$;
grant execute on function app.set_setting(p_name text, p_value integer) to authenticated;

CREATE OR REPLACE FUNCTION app.set_subject_of_key(p_user_id uuid, p_endpoint text, p_key text, p_subject_id uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update app.idempotency_keys set subject_id = p_subject_id
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
$function$;

CREATE OR REPLACE FUNCTION app.setting(p_name text)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_value integer;
begin
  select value into strict v_value from app.settings where name = p_name;
  return v_value;
end
$function$;

CREATE OR REPLACE FUNCTION app.settle_raffle(p_raffle_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
  v_escrow_id bigint;
  v_rest bigint;
  v_items app.payout_item[];
begin
  select * into v_raffle from public.raffles where id = p_raffle_id for update;
  if v_raffle.state is distinct from 'DRAWN' then
    return false;
  end if;
  v_escrow_id := app.account_of('RAFFLE_ESCROW', v_raffle.currency, null, p_raffle_id);
  select array_agg((app.account_of('USER', v_raffle.currency, t.user_id), w.amount_cents, t.purchase_id)::app.payout_item
    order by w.place) into v_items
  from public.winners w join public.tickets t using (raffle_id, ticket_num)
  where w.raffle_id = p_raffle_id and w.amount_cents is not null;
  if v_items is not null then
    perform app.post_payouts('PRIZE_PAYOUT', v_escrow_id, v_items, p_raffle_id);
  end if;
  v_rest := app.house_balance(v_escrow_id);
  if v_rest > 0 then
    perform app.post_transaction('FEE', array[
      (v_escrow_id, -v_rest), (app.account_of('REVENUE', v_raffle.currency), v_rest)]::app.posting[], p_raffle_id => p_raffle_id);
  end if;
  perform app.tell('raffle_drawn', null, p_raffle_id);
  perform app.offer_prize(v_raffle, place) from public.winners
  where raffle_id = p_raffle_id and amount_cents is null order by place;
  -- What was taken from stock and is won by nobody goes back.
  update public.prizes set stock = stock + v_raffle.prizes_taken - (
    select count(*) from public.prize_claims where raffle_id = p_raffle_id)
  where id = v_raffle.prize_id;
  update public.raffles set state = 'SETTLED' where id = p_raffle_id;
  return true;
end
$function$;
grant execute on function app.settle_raffle(p_raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION app.settle_reversals(p_payment app.card_payments, p_kind app.reversal_kind, p_id text)
 RETURNS app.event_outcome
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_target bigint;
begin
  select least(p_payment.amount_cents, greatest(
      coalesce(sum(amount_cents) filter (where kind = 'REFUND' and status not in ('failed', 'canceled')), 0),
      p_payment.charge_refunded_cents
        - coalesce(sum(amount_cents) filter (where kind = 'REFUND' and status in ('failed', 'canceled')), 0)))
    + coalesce(sum(amount_cents) filter (where kind = 'DISPUTE' and status <> 'won' and status not like 'warning%'), 0)
  into v_target from app.card_reversals where intent_id = p_payment.intent_id;
  if v_target = p_payment.taken_cents then
    return 'duplicate';
  end if;
  update app.card_payments set taken_cents = v_target where intent_id = p_payment.intent_id;
  perform app.charge_back(p_payment.account_id, v_target - p_payment.taken_cents,
    case p_kind when 'REFUND' then 'REFUND' else 'CHARGEBACK' end::public.ledger_reason, p_id);
  return 'applied';
end
$function$;

CREATE OR REPLACE FUNCTION app.settle_wallet_purchase(p_order app.purchase_order, p_purchase_id uuid, p_cents bigint, p_currency text, p_numbers integer[])
 RETURNS json
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_transaction_id bigint := nextval('app.ledger_transactions');
  v_escrow_id bigint := (select id from public.wallet_accounts where raffle_id = p_order.raffle_id and currency = p_currency);
  v_account_id bigint;
  v_balance bigint;
  v_available bigint;
  v_tickets json := '[]';
begin
  update public.wallet_accounts set balance_cents = balance_cents - p_cents
  where user_id = p_order.user_id and raffle_id is null and currency = p_currency and kind = 'USER'
    and status = 'ACTIVE' and balance_cents - held_cents >= p_cents
  returning id, balance_cents, balance_cents - held_cents into v_account_id, v_balance, v_available;
  if not found then
    perform app.refuse_payment(p_order.user_id, p_currency);
  end if;
  insert into public.purchases (id, user_id, raffle_id, type, status, quantity, amount_cents, currency, payment_method,
    redeem, redeemed, ticket_id, created_at, confirmed_at)
  values (p_purchase_id, p_order.user_id, p_order.raffle_id, p_order.type, 'CONFIRMED', p_order.quantity, p_cents, p_currency,
    'wallet', p_order.redeem, p_order.redeem, p_order.ticket_id, v_now, v_now);
  if p_order.quantity = 1 and p_order.redeem then
    insert into public.tickets (raffle_id, ticket_num, user_id, purchase_id)
    values (p_order.raffle_id, p_numbers[1], p_order.user_id, p_purchase_id)
    returning json_build_array(json_build_object('id', id, 'ticket_num', ticket_num)) into v_tickets;
  elsif p_order.redeem then
    v_tickets := app.issue_tickets(p_purchase_id, p_order.user_id, p_order.raffle_id, p_numbers);
  end if;
  insert into public.wallet_ledger (
    transaction_id, account_id, user_id, direction, amount_cents, currency, reason, purchase_id, raffle_id)
  values
    (v_transaction_id, v_account_id, p_order.user_id, 'DEBIT', p_cents, p_currency, 'TICKET_PURCHASE', p_purchase_id, p_order.raffle_id),
    (v_transaction_id, coalesce(v_escrow_id, app.account_of('RAFFLE_ESCROW', p_currency, null, p_order.raffle_id)), null,
      'CREDIT', p_cents, p_currency, 'TICKET_PURCHASE', p_purchase_id, p_order.raffle_id);
  insert into app.outbox (event, user_id, subject_id) values ('purchase_confirmed', p_order.user_id, p_purchase_id);
  insert into app.idempotency_keys (user_id, endpoint, key, request_hash, answer, subject_id)
  values (p_order.user_id, 'purchase', p_order.key, sha256(convert_to(p_order.request::text, 'utf8')),
    jsonb_build_array(v_balance, v_available), p_purchase_id);
  return json_build_object(
    'purchase', json_build_object(
      'id', p_purchase_id, 'raffle_id', p_order.raffle_id, 'type', p_order.type, 'status', 'CONFIRMED',
      'quantity', p_order.quantity, 'amount_cents', p_cents, 'currency', p_currency, 'payment_method', 'wallet',
      'redeemed', p_order.redeem, 'failure_code', null, 'expires_at', null, 'created_at', v_now),
    'wallet', json_build_object('balance_cents', v_balance, 'available_cents', v_available, 'currency', p_currency),
    'tickets', v_tickets);
end
$function$;

CREATE OR REPLACE FUNCTION app.shape_account()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_status public.wallet_status := case
    when new.suspended_reason is null and coalesce(new.debt_cents, 0) = 0 then 'ACTIVE' else 'SUSPENDED' end;
begin
  if (new.kind in ('USER', 'RECEIVABLE')) <> (new.user_id is not null)
    or (new.kind = 'RAFFLE_ESCROW') <> (new.raffle_id is not null)
    -- House accounts keep no balance: it would be a row that everybody queues on.
    or new.kind = 'USER' and num_nulls(new.balance_cents, new.held_cents, new.debt_cents) > 0
    or new.kind <> 'USER' and num_nonnulls(new.balance_cents, new.held_cents, new.debt_cents, new.suspended_reason) > 0
  then
    raise exception 'an account of kind % has other columns', new.kind using errcode = 'check_violation';
  end if;
  update public.wallet_accounts set status = v_status where id = new.id and status <> v_status;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.shuffle(p_key text, p_size integer, p_position integer)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE STRICT
 SET search_path TO ''
AS $function$
declare
  v_bits integer := greatest(ceil(log(2, greatest(p_size, 2)) / 2), 1);
  v_mask integer := (1 << v_bits) - 1;
  v_left integer;
  v_right integer;
  v_place integer := p_position;
begin
  loop
    v_left := v_place >> v_bits;
    v_right := v_place & v_mask;
    for v_round in 1..4 loop
      select v_right, v_left # (('x' || substr(md5(p_key || ':' || v_round || ':' || v_right), 1, 8))::bit(32)::integer & v_mask)
      into v_left, v_right;
    end loop;
    v_place := (v_left << v_bits) | v_right;
    exit when v_place < p_size;
  end loop;
  return v_place;
end
$function$;

CREATE OR REPLACE FUNCTION app.signed_in_user()
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := auth.uid();
begin
  if not exists (select from public.profiles where id = v_user_id) then
    perform app.make_profile(v_user_id);
    if not exists (select from public.profiles where id = v_user_id) then
      perform app.fail('not_authenticated');
    end if;
  end if;
  return v_user_id;
end
$function$;
grant execute on function app.signed_in_user() to authenticated;

CREATE OR REPLACE FUNCTION app.spread_notification(p_row app.outbox, p_max integer)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_people uuid[] := array(
    select user_id from app.audience_of(p_row) as user_id
    where user_id > coalesce(p_row.details ->> 'told_to', '00000000-0000-0000-0000-000000000000')::uuid
    order by user_id limit p_max);
begin
  insert into public.notifications (outbox_id, event, user_id, subject_id, details, happened_at)
  select p_row.id, app.event_for(p_row, user_id), user_id, p_row.subject_id, p_row.details - 'told_to', p_row.created_at
  from unnest(v_people) as user_id;
  if cardinality(v_people) < p_max then
    delete from app.outbox where id = p_row.id;
  else
    update app.outbox set details = coalesce(details, '{}') || jsonb_build_object('told_to', v_people[p_max]) where id = p_row.id;
  end if;
  return cardinality(v_people);
end
$function$;

CREATE OR REPLACE FUNCTION app.spread_notifications(p_max integer DEFAULT 50000)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_row app.outbox;
  v_queued bigint := 0;
begin
  for v_row in select * from app.outbox where user_id is null order by id limit 10 for update skip locked loop
    v_queued := v_queued + app.spread_notification(v_row, p_max);
  end loop;
  return v_queued;
end
$function$;

CREATE OR REPLACE FUNCTION app.stop_raffle(p_raffle_id uuid, p_reason text, p_code text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_raffle public.raffles;
begin
  update app.raffle_lanes set open = false where raffle_id = p_raffle_id;
  update public.raffles set state = 'CANCELLED', cancelled_at = app.clock(), cancel_reason = p_reason, cancel_code = p_code
  where id = p_raffle_id
  returning * into v_raffle;
  update public.prizes set stock = stock + v_raffle.prizes_taken where id = v_raffle.prize_id;
  with pending as (
    update public.purchases set status = 'FAILED', failure_code = 'raffle_cancelled', check_at = app.clock()
    where raffle_id = p_raffle_id and status = 'PENDING'
    returning id, user_id
  )
  insert into app.outbox (event, user_id, subject_id)
  select 'purchase_failed', user_id, id from pending;
  update public.tickets set voided_at = app.clock() where raffle_id = p_raffle_id and voided_at is null;
  delete from app.reservations where purchase_id in (select id from public.purchases where raffle_id = p_raffle_id);
  perform app.tell('raffle_cancelled', null, p_raffle_id);
end
$function$;

CREATE OR REPLACE FUNCTION app.store_answer(p_user_id uuid, p_endpoint text, p_key text, p_answer jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_answer jsonb;
begin
  update app.idempotency_keys set answer = coalesce(answer, p_answer)
  where user_id = p_user_id and endpoint = p_endpoint and key = p_key
  returning answer into v_answer;
  return coalesce(v_answer, p_answer);
end
$function$;

CREATE OR REPLACE FUNCTION app.subject_of_key(p_user_id uuid, p_endpoint text, p_key text)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return (select subject_id from app.idempotency_keys
    where user_id = p_user_id and endpoint = p_endpoint and key = p_key);
end
$function$;

CREATE OR REPLACE FUNCTION app.suspend_wallet(p_user_id uuid, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.require_power_over(p_user_id, 'operator');
  perform app.require_note('reason', p_reason);
  perform from public.profiles where id = p_user_id for no key update;
  -- Whoever has no wallet yet gets one: new ones take after those that are there.
  perform app.account_of('USER', 'EUR', p_user_id);
  perform from public.wallet_accounts where user_id = p_user_id and kind = 'USER' order by id for no key update;
  update public.wallet_accounts set suspended_reason = btrim(p_reason)
  where user_id = p_user_id and kind = 'USER';
end
$function$;
grant execute on function app.suspend_wallet(p_user_id uuid, p_reason text) to authenticated;

CREATE OR REPLACE FUNCTION app.take_any_lane(p_raffle_id uuid, p_quantity integer, p_unpaid integer)
 RETURNS app.raffle_lanes
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_lane app.raffle_lanes;
begin
  for v_attempt in 1..2 loop
    begin
      update app.raffle_lanes set fresh = fresh - p_quantity, unpaid = unpaid + p_unpaid
      where raffle_id = p_raffle_id and open and fresh >= p_quantity and lane_no = (
        select lane_no from (
          select lane_no from app.raffle_lanes where raffle_id = p_raffle_id and open and fresh >= p_quantity
          order by random() offset 0
        ) enough
        where v_attempt = 2 or pg_try_advisory_xact_lock(hashtext(p_raffle_id::text), lane_no) limit 1)
      returning * into v_lane;
      if found then
        return v_lane;
      end if;
      raise sqlstate 'LANE0';
    exception when sqlstate 'LANE0' then
      null; -- as above
    end;
  end loop;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.take_seats(p_raffle_id uuid, p_quantity integer, p_unpaid boolean)
 RETURNS app.taking
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_unpaid integer := case when p_unpaid then p_quantity else 0 end;
  v_lane app.raffle_lanes;
  v_taking app.taking;
begin
  -- An update that had to wait keeps its row locked even if it changes nothing, and whoever waits for the
  -- next lane with that in hand meets those who lock all lanes in order. Undone, it locks nothing.
  begin
    -- The advisory lock is only a hint of which lane is free; the row's update is what is correct. The terms
    -- can be read along, as they were when it began to wait: new terms come with new lanes.
    update app.raffle_lanes l set fresh = l.fresh - p_quantity, unpaid = l.unpaid + v_unpaid
    from public.raffles r
    where r.id = p_raffle_id and l.raffle_id = p_raffle_id and l.open and l.fresh >= p_quantity
      and l.lane_no = 1 + pg_backend_pid() % r.lanes
      and pg_try_advisory_xact_lock(hashtext(p_raffle_id::text), l.lane_no)
    returning array[(l.lane_no, l.end_num - l.fresh - p_quantity + 1, l.end_num - l.fresh)::app.seats], l.fresh = 0, r
    into v_taking;
    if found then
      return v_taking;
    end if;
    raise sqlstate 'LANE0';
  exception when sqlstate 'LANE0' then
    v_lane := app.take_any_lane(p_raffle_id, p_quantity, v_unpaid);
  end;
  if v_lane is null then
    v_taking.seats := app.gather_seats(p_raffle_id, p_quantity, p_unpaid);
  else
    v_taking.seats := array[
      (v_lane.lane_no, v_lane.end_num - v_lane.fresh - p_quantity + 1, v_lane.end_num - v_lane.fresh)::app.seats];
  end if;
  v_taking.the_last := v_lane is null or v_lane.fresh = 0;
  v_taking.raffle := (select r from public.raffles r where id = p_raffle_id);
  return v_taking;
end
$function$;

CREATE OR REPLACE FUNCTION app.take_token(p_class text, p_user_id uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION app.take_turn(p_user_id uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock(uuid_hash_extended(p_user_id, 1));
  return p_user_id;
end
$function$;

CREATE OR REPLACE FUNCTION app.tell(p_event text, p_user_id uuid, p_subject_id uuid DEFAULT NULL::uuid, p_details jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into app.outbox (event, user_id, subject_id, details) values (p_event, p_user_id, p_subject_id, p_details);
end
$function$;

CREATE OR REPLACE FUNCTION app.tell_alert()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.tell('operator_alert', null, null, jsonb_build_object('alert_id', new.id));
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.tell_subscriber_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.tell('subscriber_changed', new.id);
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.tell_subscriber_deleted()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.tell('subscriber_deleted', old.id);
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.tell_welcome()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform app.tell('welcome', new.id);
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION app.told_by_stripe(p_days integer, p_listed jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with since as (
    select app.clock() - make_interval(days => p_days) as at
  ), told as (
    select 'payment_intent' as object, p.intent_id as id, null as account, p.amount_cents as cents, p.currency,
      coalesce((select t.id from public.wallet_topups t where t.intent_id = p.intent_id and t.status = 'COMPLETED'),
        (select b.id from public.purchases b where b.provider_txn_id = p.intent_id))::text as owner,
      array['succeeded'] as statuses
    from app.card_payments p, since where p.received_at > since.at
    union all
    select 'charge', p.intent_id, null, p.charge_refunded_cents, p.currency, p.intent_id, null
    from app.card_payments p, since where p.charge_told_at > since.at
    union all
    select 'payout', w.provider_txn_id, w.destination, w.amount_cents, w.currency, w.id::text,
      -- What a bank has sent back meanwhile will be told.
      case w.status when 'COMPLETED' then array['paid', 'failed'] else array['failed', 'canceled'] end
    from public.wallet_withdrawals w, since
    where w.provider_txn_id is not null and greatest(w.completed_at, w.failed_at) > since.at
    union all
    select 'transfer', w.transfer_id, null, w.amount_cents, w.currency, w.id::text,
      case when w.transfer_reversed_at is null then array['sent', 'reversed'] else array['reversed'] end
    from public.wallet_withdrawals w, since where greatest(w.transfer_booked_at, w.transfer_reversed_at) > since.at
    union all
    select lower(r.kind::text), r.id, null, r.amount_cents, p.currency, r.intent_id,
      case
        when r.rank = 2 then array[r.status]
        -- It has taken money, which an inquiry does not.
        when r.kind = 'DISPUTE' and r.rank = 1 then array['needs_response', 'under_review', 'prevented', 'won', 'lost']
      end
    from app.card_reversals r join app.card_payments p using (intent_id), since where r.told_at > since.at
  )
  select coalesce(jsonb_agg(told), '[]') from told
  where not exists (
    select from jsonb_to_recordset(p_listed) as l (id text, cents bigint, currency text, owner text, status text)
    where (l.id, l.cents, l.currency, l.owner) = (told.id, told.cents, told.currency, told.owner)
      and (told.statuses is null or l.status = any(told.statuses)))
$function$;
grant execute on function app.told_by_stripe(p_days integer, p_listed jsonb) to service_role;

CREATE OR REPLACE FUNCTION app.topup_of(p_object jsonb)
 RETURNS public.wallet_topups
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_id text := p_object ->> 'id';
  v_topup public.wallet_topups;
begin
  select * into v_topup from public.wallet_topups where provider_txn_id = v_id or intent_id = v_id for update;
  if not found then
    select * into v_topup from public.wallet_topups where id = app.metadata_id(p_object, 'topup_id') for update;
    if v_id <> (case when v_topup.method = 'checkout' and p_object ->> 'object' = 'payment_intent'
      then v_topup.intent_id else v_topup.provider_txn_id end)
    then
      return null; -- made by a try that was given up
    end if;
  end if;
  return v_topup;
end
$function$;

CREATE OR REPLACE FUNCTION app.touch_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.updated_at := now();
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION app.unpaid_reason(p_intent jsonb, p_type text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select 'not paid in full'
  where p_type = 'payment_intent.succeeded' and p_intent ->> 'status' is distinct from 'succeeded'
    or p_intent ->> 'status' = 'succeeded'
      and coalesce(p_intent -> 'amount_received', p_intent -> 'amount') <> p_intent -> 'amount'
$function$;

CREATE OR REPLACE FUNCTION app.update_profile(p_changes jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_user_id uuid := app.signed_in_user();
  v_unknown text;
begin
  perform app.take_token('account', v_user_id);
  select key into v_unknown from jsonb_object_keys(p_changes) as key
  where key not in ('display_name', 'phone', 'country', 'birth_date', 'locale', 'preferences');
  if found then
    perform app.fail_field(v_unknown, 'cannot be set');
  end if;
  update public.profiles p set
    display_name = case when p_changes ? 'display_name' then btrim(p_changes ->> 'display_name') else p.display_name end,
    phone = case when p_changes ? 'phone' then p_changes ->> 'phone' else p.phone end,
    country = case when p_changes ? 'country' then p_changes ->> 'country' else p.country end,
    birth_date = case when p_changes ? 'birth_date' then (p_changes ->> 'birth_date')::date else p.birth_date end,
    locale = case when p_changes ? 'locale' then p_changes ->> 'locale' else p.locale end,
    preferences = app.merge_preferences(p.preferences, coalesce(p_changes -> 'preferences', '{}'))
  where p.id = v_user_id;
end
$function$;
grant execute on function app.update_profile(p_changes jsonb) to authenticated;

CREATE OR REPLACE FUNCTION app.watch_invariants()
 RETURNS bigint
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select count(*) from (
    select app.alert_operators('invariant', v.rule || ': ' || v.subject, jsonb_build_object('invariant', v.invariant))
    from app.check_invariants() v
  ) told
$function$;

CREATE OR REPLACE FUNCTION app.watch_jobs()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_now timestamptz := clock_timestamp();
  v_stood_still boolean := not exists (
    select from public.jobs where name = 'watch-jobs' and last_run_at > v_now - interval '2 minutes');
begin
  if not pg_try_advisory_xact_lock(hashtextextended('watch_jobs', 0)) then
    return;
  end if;
  with outcome as materialized (
    select * from app.job_outcomes()
  ), answered as (
    update app.function_calls f set ended_at = v_now from outcome o where f.id = o.call_id
  ), summed as (
    select job, max(began) as began, max(runid) as runid,
      max(ended) filter (where is_over and failure is null) as succeeded
    from outcome group by job
  )
  update public.jobs j set
    last_run_at = greatest(j.last_run_at, s.began),
    last_runid = greatest(j.last_runid, s.runid),
    next_run_at = app.next_run(j.schedule, greatest(j.last_run_at, s.began)),
    last_succeeded_at = greatest(j.last_succeeded_at, s.succeeded),
    last_result = coalesce((
      select left(coalesce(o.failure, 'succeeded'), 500) from outcome o
      where o.job = j.name and o.is_over order by o.ended desc, o.runid desc nulls first limit 1), j.last_result),
    failures = case when s.succeeded is null then j.failures else 0 end + (
      select count(*) from outcome o
      where o.job = j.name and o.is_over and o.failure is not null and o.ended > coalesce(s.succeeded, '-infinity'))
  from summed s where s.job = j.name;
  if v_stood_still then
    -- The clock begins again: nobody can be late for what it slept through.
    update public.jobs set next_run_at = app.next_run(schedule, v_now) where next_run_at < v_now;
  end if;
  update public.operator_alerts set resolved_at = v_now where resolved_at is null
    and (kind = 'job_failing' and subject <> all (app.failing_jobs()) or kind = 'job_late' and subject <> all (app.late_jobs()));
  perform app.alert_operators('job_failing', name, jsonb_build_object('failures', failures, 'result', last_result))
  from public.jobs where name = any (app.failing_jobs());
  perform app.alert_operators('job_late', name, jsonb_build_object('expected_at', next_run_at))
  from public.jobs where name = any (app.late_jobs());
end
$function$;

CREATE OR REPLACE FUNCTION app.within_spend_limits(p_user_id uuid, p_currency text, p_amount_cents bigint)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_limit record;
begin
  for v_limit in
    select l.period, app.limit_in_force(l) as amount_cents, (
      select coalesce(sum(p.amount_cents), 0)::bigint from public.purchases p
      where p.user_id = p_user_id and p.currency = p_currency and p.status in ('PENDING', 'CONFIRMED')
        and p.created_at > app.clock() - app.length_of(l.period)) as used_cents
    from public.play_limits l
    where l.user_id = p_user_id and l.kind = 'spend' and l.currency = p_currency
    order by l.period
  loop
    if v_limit.used_cents + p_amount_cents > v_limit.amount_cents then
      perform app.fail('spend_limit_reached', jsonb_build_object(
        'period', v_limit.period, 'currency', p_currency, 'limit_cents', v_limit.amount_cents,
        'remaining_cents', greatest(v_limit.amount_cents - v_limit.used_cents, 0)));
    end if;
  end loop;
  return p_amount_cents;
end
$function$;

CREATE OR REPLACE FUNCTION app.word_of(p_seed bytea, p_index integer)
 RETURNS numeric
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_bytes bytea := substring(sha256(p_seed || int4send(p_index / 4)) from (p_index % 4) * 8 + 1 for 8);
  v_signed bigint := ('x' || encode(v_bytes, 'hex'))::bit(64)::bigint;
begin
  return v_signed + case when v_signed < 0 then 18446744073709551616 else 0 end;
end
$function$;

CREATE OR REPLACE FUNCTION app.write_entries(p_transaction_id bigint, p_reason public.ledger_reason, p_postings app.posting[], p_topup_id uuid, p_withdrawal_id uuid, p_purchase_id uuid, p_raffle_id uuid, p_external_id text, p_note text, p_reverses bigint[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_written bigint;
  v_cents numeric;
  v_first text;
  v_last text;
begin
  with entries as (
    insert into public.wallet_ledger (
      transaction_id, account_id, user_id, direction, amount_cents, currency, reason,
      topup_id, withdrawal_id, purchase_id, raffle_id, external_id, note, reverses_id, status)
    select p_transaction_id, a.id, case when a.kind = 'USER' then a.user_id end,
      case when p.amount_cents > 0 then 'CREDIT' else 'DEBIT' end::public.entry_direction,
      abs(p.amount_cents), a.currency, p_reason,
      p_topup_id, p_withdrawal_id, p_purchase_id, p_raffle_id, p_external_id, p_note, p_reverses[p.ordinality],
      case when p_reverses is null then 'POSTED' else 'REVERSAL' end::public.entry_status
    from unnest(p_postings) with ordinality as p
    -- Looked up one by one: there are two or three, of millions.
    cross join lateral (select * from public.wallet_accounts where id = p.account_id limit 1) a
    where p.amount_cents <> 0
    returning currency, case direction when 'CREDIT' then amount_cents else -amount_cents end as cents
  )
  select count(*), sum(cents), min(currency), max(currency) into v_written, v_cents, v_first, v_last from entries;
  if v_written < 2 or v_written is distinct from cardinality(p_postings) then
    raise exception 'app.post_transaction: needs two or more amounts that are not zero, on accounts that exist';
  end if;
  -- Nearly always there is one currency, and the sum says it all.
  if v_cents <> 0 or v_first <> v_last and exists (
    select from unnest(p_postings) p join public.wallet_accounts a on a.id = p.account_id
    group by a.currency having sum(p.amount_cents) <> 0)
  then
    raise exception 'app.post_transaction: the entries do not sum to zero in each currency';
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION public.adjust_wallet(user_id uuid, currency text, amount_cents bigint, note text)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.adjust_wallet(user_id, currency, amount_cents, note) $function$;
grant execute on function public.adjust_wallet(user_id uuid, currency text, amount_cents bigint, note text) to authenticated;

CREATE OR REPLACE FUNCTION public.answer_withdrawal(withdrawal_id uuid, idempotency_key text)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.answer_withdrawal(withdrawal_id, idempotency_key) $function$;
grant execute on function public.answer_withdrawal(withdrawal_id uuid, idempotency_key text) to service_role;

CREATE OR REPLACE FUNCTION public.apply_stripe_object(object jsonb, account text)
 RETURNS text
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.apply_stripe_object(object, null, account)::text $function$;
grant execute on function public.apply_stripe_object(object jsonb, account text) to service_role;

CREATE OR REPLACE FUNCTION public.awaited_results(max_rows integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.awaited_results(max_rows) $function$;
grant execute on function public.awaited_results(max_rows integer) to service_role;

CREATE OR REPLACE FUNCTION public.begin_admin_claim()
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.begin_admin_claim() $function$;
grant execute on function public.begin_admin_claim() to authenticated;

CREATE OR REPLACE FUNCTION public.begin_purchase(idempotency_key text, raffle_id uuid, quantity integer, numbers integer[], type public.purchase_type, payment_method public.payment_method, redeem boolean, ticket_id bigint)
 RETURNS json
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin -- not in SQL, which Postgres would plan anew for each call
  return app.begin_purchase(idempotency_key, raffle_id, quantity, numbers, type, payment_method, redeem, ticket_id,
    jsonb_build_array(raffle_id, quantity, numbers, type, payment_method, redeem, ticket_id));
end
$function$;
grant execute on function public.begin_purchase(idempotency_key text, raffle_id uuid, quantity integer, numbers integer[], type public.purchase_type, payment_method public.payment_method, redeem boolean, ticket_id bigint) to authenticated;

CREATE OR REPLACE FUNCTION public.begin_purchase_check(purchase_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.begin_purchase_check(purchase_id) $function$;
grant execute on function public.begin_purchase_check(purchase_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.begin_topup(idempotency_key text, amount_cents bigint, currency text, method public.payment_form, details jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select app.begin_topup(idempotency_key, amount_cents, currency, method, jsonb_build_object(
    'amount_cents', amount_cents, 'currency', currency, 'method', method, 'details', details))
$function$;
grant execute on function public.begin_topup(idempotency_key text, amount_cents bigint, currency text, method public.payment_form, details jsonb) to authenticated;

CREATE OR REPLACE FUNCTION public.begin_topup_check(topup_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.begin_topup_check(topup_id) $function$;
grant execute on function public.begin_topup_check(topup_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.begin_withdrawal(idempotency_key text, amount_cents bigint, currency text)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select app.begin_withdrawal(idempotency_key, amount_cents, currency, jsonb_build_object(
    'amount_cents', amount_cents, 'currency', currency))
$function$;
grant execute on function public.begin_withdrawal(idempotency_key text, amount_cents bigint, currency text) to authenticated;

CREATE OR REPLACE FUNCTION public.cancel_raffle(raffle_id uuid, reason text, dry_run boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.cancel_raffle(raffle_id, reason, dry_run) $function$;
grant execute on function public.cancel_raffle(raffle_id uuid, reason text, dry_run boolean) to authenticated;

CREATE OR REPLACE FUNCTION public.cancel_topup(topup_id uuid, code text)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.cancel_topup(topup_id, code) $function$;
grant execute on function public.cancel_topup(topup_id uuid, code text) to service_role;

CREATE OR REPLACE FUNCTION public.cancel_withdrawal(withdrawal_id uuid)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.cancel_withdrawal(withdrawal_id) $function$;
grant execute on function public.cancel_withdrawal(withdrawal_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.check_session()
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.signed_in_user() $function$;
grant execute on function public.check_session() to authenticated;

CREATE OR REPLACE FUNCTION public.claim_notifications(max_rows integer)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.claim_notifications(max_rows) $function$;
grant execute on function public.claim_notifications(max_rows integer) to service_role;

CREATE OR REPLACE FUNCTION public.claim_payout(withdrawal_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.claim_payout(withdrawal_id) $function$;
grant execute on function public.claim_payout(withdrawal_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.claim_prize(raffle_id uuid, place integer, delivery jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.claim_prize(raffle_id, place, delivery) $function$;
grant execute on function public.claim_prize(raffle_id uuid, place integer, delivery jsonb) to authenticated;

CREATE OR REPLACE FUNCTION public.claim_transfer(withdrawal_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.claim_transfer(withdrawal_id) $function$;
grant execute on function public.claim_transfer(withdrawal_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.claim_unfinished(max_rows integer)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.claim_unfinished(max_rows) $function$;
grant execute on function public.claim_unfinished(max_rows integer) to service_role;

CREATE OR REPLACE FUNCTION public.describe_draw(raffle_id uuid, skip integer, page_size integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.describe_draw(raffle_id, skip, page_size) $function$;
grant execute on function public.describe_draw(raffle_id uuid, skip integer, page_size integer) to anon;
grant execute on function public.describe_draw(raffle_id uuid, skip integer, page_size integer) to authenticated;
grant execute on function public.describe_draw(raffle_id uuid, skip integer, page_size integer) to service_role;

CREATE OR REPLACE FUNCTION public.describe_state(raffle_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.describe_state(raffle_id) $function$;
grant execute on function public.describe_state(raffle_id uuid) to anon;
grant execute on function public.describe_state(raffle_id uuid) to authenticated;
grant execute on function public.describe_state(raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.draw_by_lottery(raffle_id uuid)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.draw_by_lottery(raffle_id) $function$;
grant execute on function public.draw_by_lottery(raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.draw_raffle(raffle_id uuid, round bigint, signature text, randomness text)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.draw_raffle(raffle_id, round, signature, randomness) $function$;
grant execute on function public.draw_raffle(raffle_id uuid, round bigint, signature text, randomness text) to service_role;

CREATE OR REPLACE FUNCTION public.due_draws(raffle_id uuid, max_rows integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.due_draws(raffle_id, max_rows) $function$;
grant execute on function public.due_draws(raffle_id uuid, max_rows integer) to service_role;

CREATE OR REPLACE FUNCTION public.duplicate_raffle(raffle_id uuid)
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.duplicate_raffle(raffle_id) $function$;
grant execute on function public.duplicate_raffle(raffle_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.exclude_self(until timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.exclude_self(until); select app.describe_account() $function$;
grant execute on function public.exclude_self(until timestamp with time zone) to authenticated;

CREATE OR REPLACE FUNCTION public.finish_purchase_check(purchase_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.finish_purchase_check(purchase_id) $function$;
grant execute on function public.finish_purchase_check(purchase_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.get_account()
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.describe_account() $function$;
grant execute on function public.get_account() to authenticated;

CREATE OR REPLACE FUNCTION public.get_customer()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.get_customer() $function$;
grant execute on function public.get_customer() to authenticated;

CREATE OR REPLACE FUNCTION public.get_purchase(purchase_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.get_purchase(purchase_id) $function$;
grant execute on function public.get_purchase(purchase_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.get_raffle(raffle_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.get_raffle(raffle_id) $function$;
grant execute on function public.get_raffle(raffle_id uuid) to anon;
grant execute on function public.get_raffle(raffle_id uuid) to authenticated;
grant execute on function public.get_raffle(raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.get_topup(topup_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.get_topup(topup_id) $function$;
grant execute on function public.get_topup(topup_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.get_withdrawal(withdrawal_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.get_withdrawal(withdrawal_id) $function$;
grant execute on function public.get_withdrawal(withdrawal_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.grant_admin_claim(claim_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.grant_admin_claim(claim_id) $function$;
grant execute on function public.grant_admin_claim(claim_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.grant_role(user_id uuid, role public.staff_role)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.grant_role(user_id, role) $function$;
grant execute on function public.grant_role(user_id uuid, role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION public.list_purchases(skip integer, page_size integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.list_purchases(skip, page_size) $function$;
grant execute on function public.list_purchases(skip integer, page_size integer) to authenticated;

CREATE OR REPLACE FUNCTION public.list_raffles(skip integer, page_size integer, state public.raffle_state, category uuid, search text, sort text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select app.list_raffles(skip, page_size, state, category, search, sort)
$function$;
grant execute on function public.list_raffles(skip integer, page_size integer, state public.raffle_state, category uuid, search text, sort text) to anon;
grant execute on function public.list_raffles(skip integer, page_size integer, state public.raffle_state, category uuid, search text, sort text) to authenticated;
grant execute on function public.list_raffles(skip integer, page_size integer, state public.raffle_state, category uuid, search text, sort text) to service_role;

CREATE OR REPLACE FUNCTION public.list_topups(skip integer, page_size integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.list_topups(skip, page_size) $function$;
grant execute on function public.list_topups(skip integer, page_size integer) to authenticated;

CREATE OR REPLACE FUNCTION public.list_withdrawals(skip integer, page_size integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.list_withdrawals(skip, page_size) $function$;
grant execute on function public.list_withdrawals(skip integer, page_size integer) to authenticated;

CREATE OR REPLACE FUNCTION public.missing_events(ids text[])
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.missing_events(ids) $function$;
grant execute on function public.missing_events(ids text[]) to service_role;

CREATE OR REPLACE FUNCTION public.prove_ticket(raffle_id uuid, ticket_num integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.prove_ticket(raffle_id, ticket_num) $function$;
grant execute on function public.prove_ticket(raffle_id uuid, ticket_num integer) to anon;
grant execute on function public.prove_ticket(raffle_id uuid, ticket_num integer) to authenticated;
grant execute on function public.prove_ticket(raffle_id uuid, ticket_num integer) to service_role;

CREATE OR REPLACE FUNCTION public.publish_raffle(raffle_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.publish_raffle(raffle_id) $function$;
grant execute on function public.publish_raffle(raffle_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.receive_stripe_event(event jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.receive_stripe_event(event) $function$;
grant execute on function public.receive_stripe_event(event jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.recent_destinations(days integer)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.recent_destinations(days) $function$;
grant execute on function public.recent_destinations(days integer) to service_role;

CREATE OR REPLACE FUNCTION public.record_customer(user_id uuid, customer_id text)
 RETURNS text
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.record_customer(user_id, customer_id) $function$;
grant execute on function public.record_customer(user_id uuid, customer_id text) to service_role;

CREATE OR REPLACE FUNCTION public.record_feed_result(lottery_id uuid, draw_date date, winning_number text, series text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select app.enter_lottery_result(lottery_id, draw_date, winning_number, series, 'FEED', null)
$function$;
grant execute on function public.record_feed_result(lottery_id uuid, draw_date date, winning_number text, series text) to service_role;

CREATE OR REPLACE FUNCTION public.record_lottery_result(lottery_id uuid, draw_date date, winning_number text, series text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select app.record_lottery_result(lottery_id, draw_date, winning_number, series)
$function$;
grant execute on function public.record_lottery_result(lottery_id uuid, draw_date date, winning_number text, series text) to authenticated;

CREATE OR REPLACE FUNCTION public.record_notifications(sent uuid[], skipped uuid[], failed jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.record_notifications(sent, skipped, failed) $function$;
grant execute on function public.record_notifications(sent uuid[], skipped uuid[], failed jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.record_purchase_failure(purchase_id uuid, idempotency_key text, code text, refused boolean)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.record_purchase_failure(purchase_id, idempotency_key, code, refused) $function$;
grant execute on function public.record_purchase_failure(purchase_id uuid, idempotency_key text, code text, refused boolean) to service_role;

CREATE OR REPLACE FUNCTION public.record_purchase_payment(purchase_id uuid, idempotency_key text, object jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.record_purchase_payment(purchase_id, idempotency_key, object) $function$;
grant execute on function public.record_purchase_payment(purchase_id uuid, idempotency_key text, object jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.record_topup(topup_id uuid, idempotency_key text, object jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.record_topup(topup_id, idempotency_key, object) $function$;
grant execute on function public.record_topup(topup_id uuid, idempotency_key text, object jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.record_topup_failure(topup_id uuid, idempotency_key text, code text, refused boolean)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.record_topup_failure(topup_id, idempotency_key, code, refused) $function$;
grant execute on function public.record_topup_failure(topup_id uuid, idempotency_key text, code text, refused boolean) to service_role;

CREATE OR REPLACE FUNCTION public.redeem_ticket(idempotency_key text, purchase_id uuid, numbers integer[])
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select app.redeem_ticket(idempotency_key, purchase_id, numbers,
    jsonb_build_object('purchase_id', purchase_id, 'numbers', numbers))
$function$;
grant execute on function public.redeem_ticket(idempotency_key text, purchase_id uuid, numbers integer[]) to authenticated;

CREATE OR REPLACE FUNCTION public.refuse_purchase(purchase_id uuid, idempotency_key text, code text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.refuse_purchase(purchase_id, idempotency_key, code) $function$;
grant execute on function public.refuse_purchase(purchase_id uuid, idempotency_key text, code text) to service_role;

CREATE OR REPLACE FUNCTION public.refuse_withdrawal(withdrawal_id uuid, code text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.refuse_withdrawal(withdrawal_id, code) $function$;
grant execute on function public.refuse_withdrawal(withdrawal_id uuid, code text) to service_role;

CREATE OR REPLACE FUNCTION public.reinstate_wallet(user_id uuid)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.reinstate_wallet(user_id) $function$;
grant execute on function public.reinstate_wallet(user_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.report_denial(object text, id text, fact jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.report_denial(object, id, fact) $function$;
grant execute on function public.report_denial(object text, id text, fact jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.report_health()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.report_health() $function$;
grant execute on function public.report_health() to anon;
grant execute on function public.report_health() to authenticated;
grant execute on function public.report_health() to service_role;

CREATE OR REPLACE FUNCTION public.report_late_draw(raffle_id uuid, failures jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.report_late_draw(raffle_id, failures) $function$;
grant execute on function public.report_late_draw(raffle_id uuid, failures jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.request_card_refund(purchase_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.request_card_refund(purchase_id) $function$;
grant execute on function public.request_card_refund(purchase_id uuid) to authenticated;

CREATE OR REPLACE FUNCTION public.requeue_notifications(notification_ids uuid[])
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.requeue_notifications(notification_ids) $function$;
grant execute on function public.requeue_notifications(notification_ids uuid[]) to authenticated;

CREATE OR REPLACE FUNCTION public.resolve_alert(alert_id bigint)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.resolve_alert(alert_id) $function$;
grant execute on function public.resolve_alert(alert_id bigint) to authenticated;

CREATE OR REPLACE FUNCTION public.revoke_role(user_id uuid, role public.staff_role)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.revoke_role(user_id, role) $function$;
grant execute on function public.revoke_role(user_id uuid, role public.staff_role) to authenticated;

CREATE OR REPLACE FUNCTION public.seal_raffle(raffle_id uuid)
 RETURNS public.raffle_state
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.seal_raffle(raffle_id) $function$;
grant execute on function public.seal_raffle(raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.send_prize(raffle_id uuid, place integer, status public.prize_claim_status, tracking text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.send_prize(raffle_id, place, status, tracking) $function$;
grant execute on function public.send_prize(raffle_id uuid, place integer, status public.prize_claim_status, tracking text) to authenticated;

CREATE OR REPLACE FUNCTION public.set_account_status(user_id uuid, status public.account_status)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_account_status(user_id, status) $function$;
grant execute on function public.set_account_status(user_id uuid, status public.account_status) to authenticated;

CREATE OR REPLACE FUNCTION public.set_kyc_status(user_id uuid, status public.kyc_status)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_kyc_status(user_id, status) $function$;
grant execute on function public.set_kyc_status(user_id uuid, status public.kyc_status) to authenticated;

CREATE OR REPLACE FUNCTION public.set_lottery_date(lottery_id uuid, draw_date date, takes_place boolean)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_lottery_date(lottery_id, draw_date, takes_place) $function$;
grant execute on function public.set_lottery_date(lottery_id uuid, draw_date date, takes_place boolean) to authenticated;

CREATE OR REPLACE FUNCTION public.set_payout_account(user_id uuid, account text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_payout_account(user_id, account) $function$;
grant execute on function public.set_payout_account(user_id uuid, account text) to authenticated;

CREATE OR REPLACE FUNCTION public.set_play_limit(kind public.limit_kind, period public.limit_period, amount_cents bigint, currency text)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select app.set_play_limit(kind, period, amount_cents, currency); select app.describe_account()
$function$;
grant execute on function public.set_play_limit(kind public.limit_kind, period public.limit_period, amount_cents bigint, currency text) to authenticated;

CREATE OR REPLACE FUNCTION public.set_setting(name text, value integer)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.set_setting(name, value) $function$;
grant execute on function public.set_setting(name text, value integer) to authenticated;

CREATE OR REPLACE FUNCTION public.settle_raffle(raffle_id uuid)
 RETURNS boolean
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.settle_raffle(raffle_id) $function$;
grant execute on function public.settle_raffle(raffle_id uuid) to service_role;

CREATE OR REPLACE FUNCTION public.suspend_wallet(user_id uuid, reason text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.suspend_wallet(user_id, reason) $function$;
grant execute on function public.suspend_wallet(user_id uuid, reason text) to authenticated;

CREATE OR REPLACE FUNCTION public.tickets_sold(raffle public.raffles)
 RETURNS integer
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.count_taken(raffle.id) $function$;
grant execute on function public.tickets_sold(raffle public.raffles) to anon;
grant execute on function public.tickets_sold(raffle public.raffles) to authenticated;
grant execute on function public.tickets_sold(raffle public.raffles) to service_role;

CREATE OR REPLACE FUNCTION public.told_by_stripe(days integer, listed jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$ select app.told_by_stripe(days, listed) $function$;
grant execute on function public.told_by_stripe(days integer, listed jsonb) to service_role;

CREATE OR REPLACE FUNCTION public.update_account(changes jsonb)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$ select app.update_profile(changes); select app.describe_account() $function$;
grant execute on function public.update_account(changes jsonb) to authenticated;


-- Default privileges ----------------------------------------------------------------------------

alter default privileges for role postgres in schema public grant select, update, usage on sequences to postgres;

alter default privileges for role postgres grant execute on functions to postgres;

alter default privileges for role postgres in schema public grant execute on functions to postgres;

alter default privileges for role postgres in schema public grant delete, insert, references, select, trigger, truncate, update on tables to postgres;


-- Elsewhere: role settings, publications, jobs --------------------------------------------------

select cron.schedule('check-invariants', '7 * * * *', 'select app.watch_invariants()'); -- as postgres

select cron.schedule('draw-lotteries', '10 seconds', 'select app.draw_by_lottery(id) from app.due_lotteries(1) as id'); -- as postgres

select cron.schedule('draw-raffles', '5 seconds', 'select app.call_function(''draw-raffles'', ''/close-raffle'') where app.draws_are_due()'); -- as postgres

select cron.schedule('expire-holds', '* * * * *', 'select app.expire_holds()'); -- as postgres

select cron.schedule('expire-purchases', '10 seconds', 'select app.expire_purchases()'); -- as postgres

select cron.schedule('fetch-lotteries', '*/5 * * * *', 'select app.call_function(''fetch-lotteries'', ''/lottery-results'') where app.awaited_results(1) <> ''[]'''); -- as postgres

select cron.schedule('pass-on-prizes', '37 * * * *', 'select app.pass_on_prizes()'); -- as postgres

select cron.schedule('publish-progress', '2 seconds', 'select app.publish_progress()'); -- as postgres

select cron.schedule('purge', '17 * * * *', 'select app.purge()'); -- as postgres

select cron.schedule('reconcile-stripe', '27 * * * *', 'select app.call_function(''reconcile-stripe'', ''/reconcile'')'); -- as postgres

select cron.schedule('refresh-popular', '*/2 * * * *', 'select app.refresh_popular()'); -- as postgres

select cron.schedule('refund-cancelled', '10 seconds', 'select app.refund_cancelled()'); -- as postgres

select cron.schedule('remind-prizes', '42 * * * *', 'select app.remind_prizes()'); -- as postgres

select cron.schedule('roll-up-balances', '* * * * *', 'select app.roll_up_balances()'); -- as postgres

select cron.schedule('seal-raffles', '2 seconds', 'select app.seal_raffle(id) from app.due_raffles(1) as id'); -- as postgres

select cron.schedule('send-notifications', '5 seconds', 'select app.call_function(''send-notifications'', ''/send-notifications'') where app.notifications_are_due()'); -- as postgres

select cron.schedule('spread-notifications', '2 seconds', 'select app.spread_notifications()'); -- as postgres

select cron.schedule('sweep-stripe', '* * * * *', 'select app.call_function(''sweep-stripe'', ''/reconcile/sweep'')'); -- as postgres

select cron.schedule('watch-jobs', '5 seconds', 'select app.watch_jobs()'); -- as postgres

alter publication supabase_realtime add table public.raffle_progress;

alter role anon set statement_timeout=3s;

alter role authenticated set statement_timeout=8s;

alter role authenticator set lock_timeout=8s;
alter role authenticator set pgrst.db_pre_request=app.check_request;
alter role authenticator set statement_timeout=8s;

alter role service_role set statement_timeout=120s;
