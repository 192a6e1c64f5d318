// What is kept is enough to go on with: a database that has been in use, dumped, and restored into an
// empty server.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, inject, test, vi } from "vitest";
import {
  checkDraws,
  checkHead,
  checkInvariants,
  checkJobs,
  checkSequences,
} from "../../supabase/local/restore/checks.ts";
import { dump } from "../../supabase/local/restore/dump.ts";
import type { Loaded } from "../../supabase/local/restore/load.ts";
import { load } from "../../supabase/local/restore/load.ts";
import { root } from "../../supabase/local/root.ts";
import { SUPERUSER } from "../../supabase/local/postgres/server.ts";
import { cleanUpLater } from "../support/cleanup.ts";
import { urlOf } from "../support/database.ts";
import { close, reachRound } from "../support/draws.ts";
import { buy, player, raffle, ticketsOf } from "../support/raffles.ts";
import { ownServer } from "../support/server.ts";
import { call, type TestStack, testStack } from "../support/stack.ts";
import { violations, walletOf } from "../support/wallets.ts";

vi.setConfig({ testTimeout: 240_000 });

const directory = `${inject("directory")}/restore-drill`;
mkdirSync(directory);
cleanUpLater(() => Promise.resolve(rmSync(directory, { recursive: true })));
const file = `${directory}/dump.sql`;
const TEXT = "A tab\t, a line\nbreak, a back\\slash, \\N, \\. and \u2028 another";

const source = await testStack();
const target = await ownServer();
let drawn: string, open: string, buyer: string, loaded: Loaded;

beforeAll(async () => {
  await source.sql`update app.beacon_chains set in_use = name = 'rafflebase-local'`;
  buyer = (await player(source, 100_00)).id;
  drawn = await raffle(source, { tickets_required: 5, description: TEXT });
  await buy(source, buyer, { raffle_id: drawn, quantity: 3 });
  await drawNow(source, drawn);
  open = await raffle(source, { tickets_required: 20 });
  await buy(source, buyer, { raffle_id: open, quantity: 4 });
  await growOld(source);
  await dump(urlOf("postgres", source.name), file);
  loaded = await load(file, target.url(SUPERUSER));
});

/** Sealed, drawn by the beacon's own signature, and settled. */
async function drawNow(stack: TestStack, id: string) {
  await close(stack, id);
  await call(stack, "POST", "/close-raffle");
  const [{ round }] = await stack.sql`select round from public.draws where raffle_id = ${id}`;
  await reachRound(stack, id);
  await fetch(`${stack.services.drandUrl}/_control/clock`, {
    method: "POST",
    body: JSON.stringify({ to_round: Number(round) }),
  }).then((answer) => answer.body?.cancel());
  await call(stack, "POST", "/close-raffle");
}

/** As a server that has run for long knows itself: by numbers that another one will not have for years. */
async function growOld({ sql }: TestStack) {
  await sql`update public.jobs set last_runid = 1000000`;
  await sql`update app.ledger_mark set noted_xmax = '99999999999'`;
  await sql`insert into app.function_calls (request_id, job) select id, 'sweep-stripe' from generate_series(1, 500) id`;
}

describe("from a dump, in an empty server", () => {
  test("every row is there, as it was", async () => {
    expect(loaded.rows.size).toBeGreaterThan(40);
    // What is about the server that it was in is not.
    const own = ["app.function_calls", "app.ledger_mark", "public.jobs"];
    for (const name of [...loaded.rows.keys()].filter((one) => !own.includes(one))) {
      const content = async ({ superuser }: { superuser: TestStack["superuser"] }) =>
        (await superuser.unsafe(
          `select count(*)::int as rows, md5(string_agg(t::text, '|' order by t::text)) as digest from ${name} t`,
        ))[0];
      expect.soft(await content(target), name).toEqual(await content(source));
    }
    const [{ description }] = await target
      .sql`select description from public.raffles where id = ${drawn}`;
    expect(description).toBe(TEXT);
  });

  test("the migrations end where they did, and nothing is violated", async () => {
    expect(loaded.head).toMatch(/^\d{14}$/);
    await checkHead(loaded.head)(target.sql);
    await checkInvariants(target.sql);
  });

  test("a draw of before verifies", async () => {
    expect(await checkDraws(directory)(target.sql)).toBe("1 draws verify");
  });

  test("sequences go on: a purchase gets the next numbers", async () => {
    await checkSequences(target.sql);
    const before = await walletOf(target, buyer);
    await buy(target, buyer, { raffle_id: open, quantity: 2 });
    expect(await ticketsOf(target, open)).toHaveLength(6);
    expect((await walletOf(target, buyer)).balance).toBe(before.balance - 10_00);
    expect(await violations(target)).toEqual([]);
  });

  test("the jobs run, it is noted that they do, and balances are rolled up", async () => {
    expect(await checkJobs(target.sql)).toMatch(/^\d+ jobs run$/);
    await target.sql`update app.ledger_mark set noted_at = now() - interval '1 minute'`;
    const [{ rolled }] = await target.sql`select app.roll_up_balances() as rolled`;
    expect(rolled).toBe(true);
  });

  test("a row that was lost is seen, and a number that would come twice", async () => {
    await target.superuser.begin(async (sql) => {
      await sql`set local session_replication_role = replica`;
      await sql`delete from public.wallet_ledger where id = 1`;
      await sql`select setval('public.wallet_ledger_id_seq', 2)`;
    });
    await expect(checkInvariants(target.sql)).rejects.toThrow("sum to zero");
    await expect(checkSequences(target.sql)).rejects.toThrow("wallet_ledger_id_seq is behind");
  });

  test("nothing is loaded into a database in which there are people", async () => {
    await expect(load(file, target.url(SUPERUSER))).rejects.toThrow("people in this database");
  });
});

describe("a drill", () => {
  const drill = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("node", {
      args: ["supabase/local/run.mjs", "supabase/local/restore/drill.ts", ...args],
      cwd: root,
      stdin: "null",
    }).output();
    return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };

  test("of a database says all that it looked at", async () => {
    const kept = `${directory}/kept.sql`;
    const { code, said } = await drill("--from", urlOf("postgres", source.name), "--keep", kept);
    expect([code, said]).toEqual([0, expect.stringContaining("What was dumped can be restored")]);
    for (
      const line of ["rows of", "migrations end with", "finds nothing", "draws verify", "jobs run"]
    ) {
      expect(said).toContain(line);
    }
    expect(readFileSync(kept, "utf8")).toContain("COPY public.wallet_ledger");
  });

  test("takes a dump as pg_dump writes it, with tables that are not ours", async () => {
    const pgDump = readFileSync(file, "utf8")
      .replace(/^COPY supabase_migrations.*?^\\\.$/ms, "")
      .replace(/^COPY (\w+)\.(\w+) \((.*)\) FROM/gm, (_, schema, table, columns) => {
        const quoted = columns.split(", ").map((one: string) => `"${one.replaceAll('"', "")}"`);
        return `--\n-- Data for Name: ${table}\n--\n\nCOPY "${schema}"."${table}" (${
          quoted.join(", ")
        }) FROM`;
      });
    const foreign = 'COPY "auth"."sessions" ("id", "user_id") FROM stdin;\n1\t2\n\\.\n';
    writeFileSync(
      `${directory}/pg_dump.sql`,
      `SET session_replication_role = replica;\n\n${foreign}${pgDump}`,
    );
    const { code, said } = await drill(`${directory}/pg_dump.sql`);
    expect([code, said]).toEqual([0, expect.stringContaining("does not say which")]);
  });

  test("says what it can be given, where there is nothing to dump", async () => {
    const { code, said } = await drill("nothing.sql");
    expect([code, said]).toEqual([1, expect.stringContaining("npm run restore-drill")]);
  });
});
