import { beforeAll, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { createUser, testDatabase } from "../support/database.ts";
import { race } from "../support/races.ts";

let db: TestDatabase;
let ana: string;
let ben: string;
beforeAll(async () => void (db = await testDatabase()));
beforeEach(async () => {
  await db.sql`delete from public.user_roles`;
  [ana, ben] = [(await createUser(db)).id, (await createUser(db)).id];
});

const claims = (userId: string) =>
  JSON.stringify({ sub: userId, role: "authenticated", aud: "authenticated" });

test("of two claims whose secret was right, the later one finds an admin", async () => {
  const begin = async (user: string) =>
    (await db.sql`insert into app.admin_claims (user_id) values (${user}) returning id`)[0].id;
  const [one, two] = [await begin(ana), await begin(ben)];
  const outcome = await race(
    db,
    (sql) => sql`select app.grant_admin_claim(${one})`,
    (sql) => sql`select app.grant_admin_claim(${two})`,
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "admin_exists", waited: true });
});

test("two requests that heal the same profile make one, and neither fails", async () => {
  await db.sql`delete from public.profiles where id = ${ana}`;
  const outcome = await race(
    db,
    (sql) => sql`select app.make_profile(${ana})`,
    (sql) => sql`select app.make_profile(${ana})`,
  );
  expect(outcome).toEqual({ first: "fulfilled", second: "done", waited: true });
  expect(await db.sql`select from public.profiles where id = ${ana}`).toHaveLength(1);
});

test("a suspension waits for what the user has under way, and nothing begins after it", async () => {
  await db.sql`insert into public.user_roles (user_id, role) values (${ben}, 'operator')`;
  const actAs = (user: string) => db.sql`set_config('request.jwt.claims', ${claims(user)}, true)`;
  const suspend = race(
    db,
    (sql) => sql`select ${actAs(ana)}, app.active_user()`,
    (sql) => sql`select ${actAs(ben)}, app.set_account_status(${ana}, 'SUSPENDED')`,
  );
  expect(await suspend).toEqual({ first: "fulfilled", second: "done", waited: true });

  await db.sql`update public.profiles set status = 'ACTIVE'`;
  const act = race(
    db,
    (sql) => sql`select ${actAs(ben)}, app.set_account_status(${ana}, 'SUSPENDED')`,
    (sql) => sql`select ${actAs(ana)}, app.active_user()`,
  );
  expect(await act).toEqual({ first: "fulfilled", second: "account_suspended", waited: true });
});

test("a deleted user is nobody, and is not made anew", async () => {
  await db.sql`delete from auth.users where id = ${ana}`;
  const calling = db.sql.begin((sql) =>
    sql`select set_config('request.jwt.claims', ${claims(ana)}, true), app.signed_in_user()`
  );
  await expect(calling).rejects.toThrow("not_authenticated");
});
