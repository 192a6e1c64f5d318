-- The catalogue: what can be won, in which raffles, on which terms. Operators write drafts by the data
-- API; publishing checks the terms and fixes them. Prices and values are at most 100000000000, and what a
-- raffle can bring in 9007199254740991: what JSON numbers hold to the cent.

insert into app.error_codes (code, status) values
  ('raffle_not_found', 404),
  ('raffle_not_draft', 409),
  ('raffle_terms_frozen', 409),
  ('prize_out_of_stock', 409),
  ('prize_frozen', 409),
  ('raffle_terms_invalid', 422);

create type public.raffle_state as enum ('DRAFT', 'OPEN', 'FULL', 'CLOSED', 'DRAWN', 'SETTLED', 'CANCELLED');
create type public.numbering as enum ('SEQUENTIAL', 'PICK', 'RANDOM');
create type public.draw_method as enum ('BEACON', 'LOTTERY');
create type public.unsold_rule as enum ('NEXT_DRAW', 'REFUND', 'HOUSE');


-- Prizes ------------------------------------------------------------------------------------------

create function app.are_web_addresses(p_urls text[]) returns boolean
language sql immutable set search_path = '' as $$
  select coalesce(bool_and(url is not null and length(url) <= 2048 and url ~ '^https?://[^\s<>"]+$'), true)
  from unnest(p_urls) as url
$$;

create table public.prizes (
  id uuid primary key default gen_random_uuid(),
  title text not null check (app.is_name(title, 200)),
  description text not null default '' check (length(description) <= 10000),
  value_cents bigint not null check (value_cents between 0 and 100000000000),
  currency char(3) not null default 'EUR' references public.currencies (code),
  stock integer not null default 1 check (stock >= 0),
  sponsor jsonb check (jsonb_typeof(sponsor) = 'object' and length(sponsor::text) <= 4000),
  image_urls text[] not null default '{}' check (cardinality(image_urls) <= 20 and app.are_web_addresses(image_urls)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.prizes.stock is 'How many are left to be raffled: publishing a raffle takes one for each winner.';
create index prizes_currency on public.prizes (currency);


-- Categories --------------------------------------------------------------------------------------

create table public.raffle_categories (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (app.is_name(name, 100)),
  color text not null default '#888888' check (color ~ '^#[0-9a-fA-F]{6}$'),
  ticket_price_cents bigint not null check (ticket_price_cents between 1 and 100000000000),
  currency char(3) not null default 'EUR' references public.currencies (code),
  rake_bps integer not null default 0 check (rake_bps between 0 and 10000),
  prize_fund_cents bigint check (prize_fund_cents between 0 and 9007199254740991),
  prize_per_winner_cents bigint check (prize_per_winner_cents between 1 and 100000000000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.raffle_categories is 'Terms that many raffles share. A raffle takes them over when it is published.';
comment on column public.raffle_categories.rake_bps is
  'Of what a full raffle brings in, the house''s part in hundredths of a percent, rounded down: what does '
  'not divide goes to the prize fund.';
comment on column public.raffle_categories.prize_fund_cents is 'Fixes the fund instead; the rake is then the rest.';
create index raffle_categories_currency on public.raffle_categories (currency);


-- Lotteries ---------------------------------------------------------------------------------------

create table public.lotteries (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (app.is_name(name, 100)),
  description text not null default '',
  digits smallint not null check (digits between 2 and 6),
  draw_days smallint[] not null default '{1,2,3,4,5,6,7}' check (draw_days <@ '{1,2,3,4,5,6,7}'),
  draws_at time not null default '22:30',
  time_zone text not null default 'America/Bogota',
  results_url text check (results_url ~ '^https?://'),
  created_at timestamptz not null default now()
);
comment on table public.lotteries is 'Official lotteries, whose results can decide raffles.';
comment on column public.lotteries.draw_days is 'Days of the week, from 1, Monday, to 7.';

create table public.lottery_dates (
  lottery_id uuid not null references public.lotteries (id),
  draw_date date not null,
  takes_place boolean not null,
  primary key (lottery_id, draw_date)
);
comment on table public.lottery_dates is 'Where the calendar of a lottery differs from its days: a draw more, or one less.';
comment on column public.lotteries.digits is 'Figures of a winning number: 4 means 0000 to 9999.';


-- Raffles -----------------------------------------------------------------------------------------

create table public.raffles (
  id uuid primary key default gen_random_uuid(),
  state public.raffle_state not null default 'DRAFT',
  prize_id uuid not null references public.prizes (id),
  category_id uuid references public.raffle_categories (id),
  title text check (app.is_name(title, 200)),
  description text check (length(description) <= 10000),
  ticket_price_cents bigint not null check (ticket_price_cents <= 100000000000),
  currency char(3) not null default 'EUR' references public.currencies (code),
  tickets_required integer not null,
  min_tickets integer not null default 1,
  max_per_user integer,
  numbering public.numbering not null default 'SEQUENTIAL',
  winners_count integer not null default 1,
  prize_tiers jsonb not null default '[]',
  draw_method public.draw_method not null default 'BEACON',
  lottery_id uuid references public.lotteries (id),
  lottery_draw_date date,
  unsold_rule public.unsold_rule,
  opens_at timestamptz not null default now(),
  closes_at timestamptz not null,
  lanes integer,
  boost_price_cents bigint check (boost_price_cents <= 100000000000),
  boost_limit integer,
  retry_of uuid references public.raffles (id),
  retry_price_cents bigint check (retry_price_cents <= 100000000000),
  rake_cents bigint not null default 0,
  prize_fund_cents bigint not null default 0,
  prize_per_winner_cents bigint,
  prizes_taken integer not null default 0,
  published_at timestamptz,
  cancelled_at timestamptz,
  cancel_reason text,
  cancel_code text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint raffles_published check ((state = 'DRAFT') = (published_at is null) or state = 'CANCELLED'),
  constraint raffles_gross check (published_at is null
    or rake_cents + prize_fund_cents = ticket_price_cents * tickets_required)
);
comment on table public.raffles is 'DRAFT until published. Terms are checked then, and fixed from the first sale on.';
comment on column public.raffles.lanes is 'How many buyers are served side by side; by size unless set. One lane: consecutive numbers.';
comment on column public.raffles.rake_cents is 'What the house keeps of a full raffle; with the prize fund it is all that comes in.';
comment on column public.raffles.prizes_taken is 'How many of the prize it took from stock, and gives back if cancelled.';
comment on column public.raffles.prize_tiers is
  'Money for places: [{"place":1,"amount_cents":50000}]; for lotteries also [{"figures":3,"amount_cents":1000}].';
create index raffles_prize on public.raffles (prize_id);
create index raffles_category on public.raffles (category_id);
create index raffles_currency on public.raffles (currency);
create index raffles_lottery on public.raffles (lottery_id);
create index raffles_retry_of on public.raffles (retry_of);
create index raffles_state on public.raffles (state, closes_at);
create index raffles_newest on public.raffles (published_at desc, id);

alter table public.prizes enable row level security;
alter table public.raffle_categories enable row level security;
alter table public.lotteries enable row level security;
alter table public.lottery_dates enable row level security;
alter table public.raffles enable row level security;

insert into app.state_changes (subject, from_state, to_state) values
  ('raffles', 'DRAFT', 'OPEN'),
  ('raffles', 'OPEN', 'FULL'),
  ('raffles', 'OPEN', 'CLOSED'),
  ('raffles', 'FULL', 'CLOSED'),
  ('raffles', 'CLOSED', 'DRAWN'),
  ('raffles', 'DRAWN', 'SETTLED'),
  ('raffles', 'DRAFT', 'CANCELLED'),
  ('raffles', 'OPEN', 'CANCELLED'),
  ('raffles', 'FULL', 'CANCELLED'),
  ('raffles', 'CLOSED', 'CANCELLED');
create trigger enforce_state_change before update on public.raffles
  for each row when (old.state is distinct from new.state) execute function app.enforce_state_change('state');

create trigger touch_updated_at before update on public.prizes for each row execute function app.touch_updated_at();
create trigger touch_updated_at before update on public.raffle_categories for each row execute function app.touch_updated_at();
create trigger touch_updated_at before update on public.raffles for each row execute function app.touch_updated_at();
create trigger record_change after insert or update or delete on public.prizes
  for each row execute function app.record_change('id');
create trigger record_change after insert or update or delete on public.raffle_categories
  for each row execute function app.record_change('id');
create trigger record_change after insert or update or delete on public.lotteries
  for each row execute function app.record_change('id');
create trigger record_change after insert or update or delete on public.lottery_dates
  for each row execute function app.record_change('lottery_id');
create trigger record_change after insert or update or delete on public.raffles
  for each row execute function app.record_change('id');
