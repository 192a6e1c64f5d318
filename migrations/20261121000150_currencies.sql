-- Currencies. Money is a bigint of minor units with a currency beside it, everywhere.

create table public.currencies (
  code char(3) primary key check (code ~ '^[A-Z]{3}$'),
  minor_units smallint not null check (minor_units between 0 and 4),
  name text not null
);
comment on table public.currencies is 'The currencies the product knows. 100 minor units are 1.00 EUR, and 100 JPY.';
comment on column public.currencies.minor_units is 'Digits after the decimal point.';
insert into public.currencies (code, minor_units, name) values
  ('EUR', 2, 'Euro'),
  ('USD', 2, 'US dollar'),
  ('GBP', 2, 'Pound sterling'),
  ('CHF', 2, 'Swiss franc'),
  ('COP', 2, 'Colombian peso'),
  ('TZS', 2, 'Tanzanian shilling'),
  ('JPY', 0, 'Japanese yen');

alter table public.currencies enable row level security;

-- Refuses a currency that is not in the table, pointing at the field that named it.
-- Called by what takes a currency from a client. Raises request_invalid.
create function app.require_currency(p_currency text) returns void
language plpgsql stable set search_path = '' as $$
begin
  if not exists (select from public.currencies where code = p_currency) then
    perform app.fail_field('currency', 'is not a currency we know');
  end if;
end
$$;
