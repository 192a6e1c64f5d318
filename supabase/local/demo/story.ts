// The story: a raffle from its prize to its proof. Every step is what a frontend, an operator or an auditor
// would do; nothing is done behind the product's back.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { withDatabase } from "../postgres/database.ts";
import { root } from "../root.ts";
import type { StackDescription } from "../stack.ts";
import type { Narrator } from "./narrator.ts";
import type { Person } from "./people.ts";
import { expectStatus, signIn, signUp } from "./people.ts";

const CROWD = ["Flora", "Gino", "Hana", "Ivo", "Julia", "Karl", "Lena", "Marco", "Nina", "Otis"];
const euros = (cents: number) => `${(cents / 100).toFixed(2)} EUR`;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function tellStory(stack: StackDescription, narrator: Narrator) {
  const operator = await signIn(stack, "operator@example.com");
  const raffleId = await setUp(operator, narrator);
  const people = await gather(stack, narrator);
  await topUp(people, narrator);
  await choose(stack, people, raffleId, narrator);
  await rush(people, raffleId, narrator);
  const raffle = await drawn(people[0], raffleId, narrator);
  await reward(stack, operator, people, raffleId, narrator);
  const verified = await verify(stack, raffleId, narrator);
  await audit(stack, raffleId, narrator);
  return { raffle_id: raffleId, state: raffle.state, verified };
}

async function setUp({ supabase }: Person, { act, tell }: Narrator): Promise<string> {
  act("An operator sets up a prize and a raffle, with supabase-js on granted columns");
  const prize = await supabase.from("prizes")
    .insert({ title: "A red bicycle", value_cents: 30000, stock: 1 }).select("id").single();
  if (prize.error) throw prize.error;
  const draft = await supabase.from("raffles").insert({
    prize_id: prize.data.id,
    title: "The red bicycle",
    ticket_price_cents: 500,
    tickets_required: 100,
    numbering: "PICK",
    winners_count: 3,
    prize_tiers: [{ place: 2, amount_cents: 5000 }, { place: 3, amount_cents: 2500 }],
    min_tickets: 50,
    closes_at: new Date(Date.now() + 86_400_000).toISOString(),
  }).select("id").single();
  if (draft.error) throw draft.error;
  const published = await supabase.rpc("publish_raffle", { raffle_id: draft.data.id });
  if (published.error) throw published.error;
  tell("100 tickets at 5.00 EUR; first prize the bicycle, then 50.00 and 25.00 EUR. Published.", {
    raffle_id: draft.data.id,
  });
  return draft.data.id;
}

async function gather(stack: StackDescription, { act, tell }: Narrator): Promise<Person[]> {
  act("Players sign up and confirm their addresses");
  const people = [
    await signUp(stack, "Carla", { locale: "es" }),
    await signUp(stack, "Dario", { locale: "it" }),
    await signUp(stack, "Emma"),
  ];
  for (const name of CROWD) people.push(await signUp(stack, name));
  tell(`Carla (who reads Spanish), Dario (Italian), Emma, and a crowd of ${CROWD.length}.`);
  return people;
}

/** With a card of Stripe's own for tests. Resolves when the money has arrived by webhook. */
async function pay(person: Person, amount_cents: number, payment_method = "pm_card_visa") {
  const body = { amount_cents, method: "payment_intent", payment_method };
  const answer = await person.call("POST", "/topup", body);
  if (answer.status !== 201) return answer;
  const { id } = answer.body.topup;
  await until(async () =>
    (await person.call("GET", `/topup/${id}`)).body.topup.status === "COMPLETED"
  );
  return answer;
}

async function topUp(people: Person[], { act, tell }: Narrator): Promise<void> {
  act("They top up their wallets at the simulated Stripe");
  const [carla, dario, , ...crowd] = people;
  await expectStatus(201, pay(carla, 5000));
  tell("Carla pays 50.00 EUR in by card: charged, confirmed by Stripe's webhook, credited once.");
  const declined = await expectStatus(402, pay(dario, 5000, "pm_card_chargeDeclined"));
  tell(`Dario's bank says no: 402 ${declined.error.code}. Nothing is booked.`, {
    code: declined.error.code,
  });
  await Promise.all(crowd.map((person) => expectStatus(201, pay(person, 10_000))));
  tell(`The crowd pays in 100.00 EUR each.`);
}

async function choose(
  stack: StackDescription,
  [carla, dario, emma]: Person[],
  raffle_id: string,
  { act, tell }: Narrator,
): Promise<void> {
  act("Some choose their numbers, some pay by card");
  const chosen = { raffle_id, numbers: [7, 21, 77], payment_method: "wallet" };
  const { wallet } = await expectStatus(201, carla.call("POST", "/purchase", chosen));
  tell(`Carla takes 7, 21 and 77 from her wallet; ${euros(wallet.balance_cents)} are left.`);
  const taken = { raffle_id, numbers: [7], payment_method: "card" };
  const { error } = await expectStatus(409, emma.call("POST", "/purchase", taken));
  tell(`Emma wants 7 too: 409 ${error.code}. She takes what luck gives, by card, as Dario does.`);
  await Promise.all([emma, dario].map(async (person) => {
    const order = { raffle_id, quantity: 2, payment_method: "card" };
    const { purchase, payment } = await expectStatus(201, person.call("POST", "/purchase", order));
    const paying =
      `${stack.stripe_url}/_control/payment_intents/${payment.payment_intent_id}/succeed`;
    await (await fetch(paying, { method: "POST" })).body?.cancel();
    await until(async () =>
      (await person.call("GET", `/purchase/${purchase.id}`)).body.purchase.status === "CONFIRMED"
    );
  }));
  tell(
    "Their seats were reserved, Stripe's webhooks confirm the payments, the tickets are issued.",
  );
}

async function rush(people: Person[], raffle_id: string, { act, tell }: Narrator): Promise<void> {
  act("The crowd buys the rest, all at once");
  const answers = await Promise.all(
    people.slice(3).flatMap((person) =>
      [5, 4, 3].map((quantity) =>
        person.call("POST", "/purchase", { raffle_id, quantity, payment_method: "wallet" })
      )
    ),
  );
  const count = (
    wanted: (answer: { status: number; body: { error?: { code: string } } }) => boolean,
  ) => answers.filter(wanted).length;
  const bought = count(({ status }) => status === 201);
  const soldOut = count(({ body }) => body.error?.code === "raffle_sold_out");
  // What is left is less than anybody wanted: one by one, as long as there is one.
  for (let left = 1; left > 0;) {
    const { body } = await people[3].call("GET", `/raffles/${raffle_id}`);
    left = body.tickets_remaining;
    if (left > 0) {
      await people[4].call("POST", "/purchase", {
        raffle_id,
        quantity: left,
        payment_method: "wallet",
      });
    }
  }
  tell(
    `${answers.length} purchases at the same moment: ${bought} got tickets, ${soldOut} were told that it is sold out.`,
    {
      bought,
      sold_out: soldOut,
    },
  );
  tell("100 of 100 tickets are sold, each number once.");
}

async function drawn(anyone: Person, raffleId: string, { act, tell, wait }: Narrator) {
  act("The raffle is full: the clock seals it, and a beacon draws it");
  const look = async () => (await anyone.call("GET", `/raffles/${raffleId}`)).body;
  await until(async () => (await look()).draw);
  const { draw } = await look();
  tell(`Sealed: ${draw.ticket_count} tickets under the root ${draw.ticket_root}.`, draw);
  tell(
    `Round ${draw.beacon.round} of the beacon decides; it comes out in a minute. In production that is drand, and nobody can know it.`,
  );
  const began = Date.now();
  for (;;) {
    const raffle = await look();
    if (raffle.state === "SETTLED") {
      tell(
        "The round is out. Its signature is checked, the winners are computed, and everything is paid.",
      );
      return raffle;
    }
    wait(
      `waiting for the beacon ... ${Math.max(0, 60 - Math.round((Date.now() - began) / 1000))} s`,
    );
    await pause(500);
  }
}

async function reward(
  stack: StackDescription,
  operator: Person,
  people: Person[],
  raffleId: string,
  { act, tell }: Narrator,
): Promise<void> {
  act("Winners are paid and told");
  const { data: winners } = await operator.supabase.from("winners").select()
    .eq("raffle_id", raffleId).order("place");
  for (const { place, ticket_num, display_name, amount_cents } of winners!) {
    const won = amount_cents ? `${euros(amount_cents)}, in the wallet` : "the bicycle";
    tell(`Place ${place}: ticket ${ticket_num}, ${display_name}: ${won}.`, { place, ticket_num });
  }
  const first = await Promise.all(people.map(async (person) => {
    const { data } = await person.supabase.from("prize_claims").select().eq("raffle_id", raffleId);
    return { person, claim: data?.[0] };
  })).then((all) => all.find(({ claim }) => claim)!);
  const delivery = { address: "1 Demo Street" };
  const claim = { raffle_id: raffleId, place: first.claim!.place, delivery };
  const claimed = await first.person.supabase.rpc("claim_prize", claim);
  if (claimed.error) throw claimed.error;
  const sent = {
    raffle_id: raffleId,
    place: claim.place,
    status: "SHIPPED",
    tracking: "DEMO-1",
  } as const;
  const shipped = await operator.supabase.rpc("send_prize", sent);
  if (shipped.error) throw shipped.error;
  tell(`${first.person.name} says where to send the bicycle, the operator ships it.`);

  const messagesTo = async ({ id }: Person) =>
    (await (await fetch(`${stack.api_url}/_local/novu?limit=100&subscriberId=${id}`)).json()).items;
  await until(async () =>
    (await messagesTo(first.person)).some((one: { workflow: string }) =>
      one.workflow === "prize-sent"
    )
  );
  const [carla] = people;
  const messages: { workflow: string; request: { payload: { title: string } } }[] =
    await messagesTo(carla);
  tell(`Novu has told Carla, in Spanish:`, { workflows: messages.map(({ workflow }) => workflow) });
  for (const { request } of messages.reverse()) tell(`  ${request.payload.title}`);
}

async function verify(stack: StackDescription, raffleId: string, { act, tell }: Narrator) {
  act("Anyone verifies the draw, offline, from what is published");
  const folder = mkdtempSync(`${tmpdir()}/rafflebase-demo-`);
  try {
    const proof = await fetch(
      `${stack.api_url}/functions/v1/verify-draw/${raffleId}?format=ndjson`,
    );
    const lines = await proof.text();
    Deno.writeTextFileSync(`${folder}/proof.ndjson`, lines);
    const { holds, said } = await runVerifier(`${folder}/proof.ndjson`);
    if (!holds) throw new Error(said.join("\n"));
    said.forEach((line) => tell(line));
    // Somebody gives a ticket to somebody else, afterwards.
    const changed = lines.replace(
      /"holder":\s*"(.)/,
      (_, digit) => `"holder":"${digit === "0" ? "1" : "0"}`,
    );
    Deno.writeTextFileSync(`${folder}/tampered.ndjson`, changed);
    const caught = await runVerifier(`${folder}/tampered.ndjson`);
    if (caught.holds) throw new Error("the verifier believed a proof that was tampered with");
    tell(`The same proof with one letter changed: ${caught.said.at(-1)}`);
    return true;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runVerifier(file: string) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-prompt",
      "--node-modules-dir=manual",
      `${root}supabase/local/verify.ts`,
      file,
    ],
    cwd: root,
  }).output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("").trim()
    .split("\n");
  return { holds: success, said };
}

async function audit(
  stack: StackDescription,
  raffleId: string,
  { act, tell }: Narrator,
): Promise<void> {
  act("The books are checked");
  await withDatabase(stack.db_url, async (sql) => {
    const violations = await sql`select * from app.check_invariants()`;
    if (violations.length > 0) throw new Error(JSON.stringify(violations));
    const moved = await sql`
      select reason, sum(amount_cents)::int as cents from public.wallet_ledger
      where raffle_id = ${raffleId} and direction = 'CREDIT' group by reason order by reason`;
    tell(moved.map(({ reason, cents }) => `${reason} ${euros(cents)}`).join(", ") + ".");
    tell(
      "Every transaction sums to zero, every balance is the sum of its entries, the escrow is empty.",
    );
  });
}

async function until(holds: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("what should happen within a minute did not");
    await pause(200);
  }
}
