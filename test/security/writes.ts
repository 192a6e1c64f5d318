// Which request has written to which table: what is committed is noted with the id that the request carries
// through every layer, so that many can be under way at once and each is held to its own answer.
import type { TestDatabase } from "../support/database.ts";

/** Notes from now on, in all of public and app. */
export async function watchWrites({ superuser }: TestDatabase): Promise<void> {
  await superuser.unsafe(`
    create schema watch;
    create unlogged table watch.writes (request_id text, name text, primary key (request_id, name));
    create function watch.note() returns trigger language plpgsql security definer set search_path = '' as $$
    begin
      insert into watch.writes
      select given ->> 'x-request-id', tg_table_schema || '.' || tg_table_name
      from (select nullif(current_setting('request.headers', true), '')::json as given) as request
      where given ->> 'x-request-id' is not null
      on conflict do nothing;
      return null;
    end
    $$;
    do $$
    declare
      v_table regclass;
    begin
      for v_table in
        select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname in ('public', 'app')
      loop
        execute format('create trigger zz_watch after insert or update or delete on %s
          for each row execute function watch.note()', v_table);
      end loop;
    end
    $$`);
}

/** What was noted of these requests. Forgets everything. */
export async function writesOf({ superuser }: TestDatabase, requestIds: string[]) {
  const found = await superuser`
    select request_id, name from watch.writes where request_id = any(${requestIds})`;
  await superuser`truncate watch.writes`;
  return found.map(({ request_id, name }) => ({ request_id, name }));
}
