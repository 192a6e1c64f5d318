// The ledger against a plain model of it: whatever is tried, in whatever order, SQL does the same or
// refuses with the same code. SEED=... replays the run of that name.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { testDatabase } from "../support/database.ts";
import { accountOf, fund, openWallet, rolledBack, violations } from "../support/ledger.ts";
import { scaled, seed } from "../support/scale.ts";
import { LedgerModel, Refusal } from "./ledger-model.ts";

const RUNS = scaled(1_000, 20_000);
const COMMANDS = scaled(15, 50);
const OPENING = 100;
const UNKNOWN = "0";

let db: TestDatabase;
/** The model as every run begins. */
const opening = new LedgerModel();
const names: Record<string, string> = { nobody: UNKNOWN };

beforeAll(async () => {
  db = await testDatabase();
  // One round trip for all commands, and a refused one leaves nothing behind.
  await db.sql`
    create function app.attempt(p_command text) returns text language plpgsql as $$
    begin
      execute p_command;
      return 'none';
    exception when others then
      return case when sqlstate like 'PT%' then sqlerrm else sqlstate end;
    end
    $$`;
  for (const currency of ["EUR", "USD"]) {
    for (const kind of ["ADJUSTMENT", "REVENUE", "STRIPE_CLEARING"]) {
      names[`${kind} ${currency}`] = await accountOf(db.sql, kind, currency);
      opening.open(names[`${kind} ${currency}`], { kind, currency });
    }
  }
  for (const name of ["ana", "ben", "eve"]) {
    const { user, account } = await openWallet(db);
    names[name] = account;
    names[`${name} owes`] = await accountOf(db.sql, "RECEIVABLE", "EUR", user);
    opening.open(account, { kind: "USER", currency: "EUR", receivable: names[`${name} owes`] });
    opening.open(names[`${name} owes`], { kind: "RECEIVABLE", currency: "EUR" });
  }
  const dollars = await openWallet(db, 0, "USD");
  names.dan = dollars.account;
  names["dan owes"] = await accountOf(db.sql, "RECEIVABLE", "USD", dollars.user);
  opening.open(names.dan, { kind: "USER", currency: "USD", receivable: names["dan owes"] });
  opening.open(names["dan owes"], { kind: "RECEIVABLE", currency: "USD" });
  for (const [name, currency] of [["ana", "EUR"], ["ben", "EUR"], ["dan", "USD"]]) {
    await fund(db.sql, names[name], OPENING, currency);
    opening.post([[names[name], OPENING], [names[`ADJUSTMENT ${currency}`], -OPENING]]);
  }
});

interface Command {
  text: string;
  apply(model: LedgerModel): void;
  toString(): string;
}
const command = (text: string, apply: (model: LedgerModel) => void): Command => ({
  text,
  apply,
  toString: () => text,
});

const nth = (what: "id" | "distinct transaction_id", table: string, n: number) =>
  `(select ${what} from public.${table} order by 1 offset ${n} limit 1)`;
const nthHold = (n: number) => nth("id", "wallet_holds", n);

function commands(): fc.Arbitrary<Command> {
  const account = (...weighted: [number, string[]][]) =>
    fc.oneof(...weighted.map(([weight, of]) => ({
      weight,
      arbitrary: fc.constantFrom(...of.map((name) => names[name])),
    })));
  const user = account([8, ["ana", "ben", "eve"]], [1, ["dan"]]);
  const any = account(
    [12, ["ana", "ben", "eve"]],
    [6, ["REVENUE EUR"]],
    [1, ["dan", "REVENUE USD", "nobody"]],
  );
  const cents = fc.integer({ min: 1, max: 90 });
  const holdNumber = fc.integer({ min: 0, max: 4 });

  const transfers = fc.array(fc.tuple(any, any, cents), { minLength: 1, maxLength: 3 })
    .map((legs) =>
      legs.flatMap(([from, to, sum]): [string, number][] => [[from, -sum], [to, sum]])
    );
  const anything = fc.array(fc.tuple(any, fc.integer({ min: -2, max: 2 })), { maxLength: 3 });
  const postings = fc.oneof({ weight: 9, arbitrary: transfers }, {
    weight: 1,
    arbitrary: anything,
  });

  return fc.oneof(
    {
      weight: 6,
      arbitrary: postings.map((list) =>
        command(
          `select app.post_transaction('ORDER', array[${
            list.map(([id, sum]) => `(${id}, ${sum})`).join(", ")
          }]::app.posting[])`,
          (model) => model.post(list),
        )
      ),
    },
    {
      weight: 4,
      arbitrary: fc.tuple(user, fc.integer({ min: 0, max: 80 })).map(([id, sum]) =>
        command(
          `select app.place_hold(${id}, ${sum}, 'FEE')`,
          (model) => model.placeHold(id, sum),
        )
      ),
    },
    {
      weight: 2,
      arbitrary: holdNumber.map((n) =>
        command(`select app.release_hold(${nthHold(n)})`, (model) => model.releaseHold(n))
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(holdNumber, any).map(([n, to]) =>
        command(
          `select app.capture_hold(${nthHold(n)}, ${to})`,
          (model) => model.captureHold(n, to),
        )
      ),
    },
    {
      weight: 2,
      arbitrary: holdNumber.map((n) =>
        command(
          `update public.wallet_holds set expires_at = now() - interval '1 second' where id = ${
            nthHold(n)
          }`,
          (model) => model.makeDue(n),
        )
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constant(command("select app.expire_holds()", (model) => model.expireHolds())),
    },
    {
      weight: 3,
      arbitrary: fc.integer({ min: 0, max: 9 }).map((n) =>
        command(
          `select app.reverse_transaction(${nth("distinct transaction_id", "wallet_ledger", n)})`,
          (model) => model.reverse(n),
        )
      ),
    },
    {
      weight: 4,
      arbitrary: fc.tuple(user, fc.integer({ min: -120, max: 150 })).map(([id, sum]) =>
        command(
          `select app.charge_back(${id}, ${sum}, 'CHARGEBACK', 'pi_1')`,
          (model) => model.chargeBack(id, sum, names[`STRIPE_CLEARING ${model.currencyOf(id)}`]),
        )
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(user, fc.boolean()).map(([id, suspended]) =>
        command(
          `update public.wallet_accounts set suspended_reason = ${
            suspended ? "'fraud'" : "null"
          } where id = ${id}`,
          (model) => model.suspend(id, suspended),
        )
      ),
    },
  );
}

/** What the model predicts: the code, and the state after it. */
function predict(model: LedgerModel, { apply }: Command): [string, LedgerModel] {
  const next = model.copy();
  try {
    apply(next);
    return ["none", next];
  } catch (error) {
    if (error instanceof Refusal) return [error.code, model];
    throw error;
  }
}

test(`${RUNS} times up to ${COMMANDS} commands do what the model predicts (SEED=${seed})`, async () => {
  const seen: Record<string, number> = {};
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(commands(), { maxLength: COMMANDS, size: "max" }), async (list) => {
      // Rolled back, runs leave only dead rows, which each further look at the books would read again.
      if (run++ % 200 === 199) await db.superuser`vacuum`;
      await rolledBack(db.sql, async (sql) => {
        const codes = await sql`select app.attempt(text) as code
          from unnest(${list.map(({ text }) => text)}::text[]) as text`;
        let model = opening;
        for (const [at, { code }] of codes.entries()) {
          const [expected, next] = predict(model, list[at]);
          expect(code, list[at].text).toBe(expected);
          seen[code] = (seen[code] ?? 0) + 1;
          model = next;
        }
        expect(codes).toHaveLength(list.length);
        expect(
          (await sql`select id, balance_cents::integer as balance, held_cents::integer as held,
              debt_cents::integer as debt, status
            from public.wallet_accounts where kind = 'USER' order by id`).map((row) => ({
            ...row,
          })),
        ).toEqual(model.wallets());
        expect(
          (await sql`select transaction_id, json_agg(json_build_array(account_id::text,
              case direction when 'CREDIT' then amount_cents else -amount_cents end) order by id) as entries
            from public.wallet_ledger group by 1 order by 1`).map(({ entries }) => entries),
        ).toEqual(model.transactions.map(({ entries }) => entries));
        expect(await violations(sql)).toEqual([]);
      });
    }),
    { seed, numRuns: RUNS },
  );
  // Every answer was given, or the test would say nothing.
  expect(Object.keys(seen).sort()).toEqual([
    "23514",
    "P0001",
    "P0002",
    "balance_insufficient",
    "hold_not_active",
    "none",
    "transaction_already_reversed",
    "transaction_not_found",
    "wallet_suspended",
  ]);
});
