// Who takes part: players with what they remember of what they were told, staff, and how they come to be.
import { expect } from "vitest";
import { seeded } from "../../supabase/local/random.ts";
import { crowd } from "../support/crowd.ts";
import { createUser } from "../support/database.ts";
import { randomOf } from "../support/stripe-histories.ts";
import type { TestStack } from "../support/stack.ts";
import { clientFor, tokenFor } from "../support/stack.ts";
import { control } from "../support/stripe.ts";
import type { Journal } from "./journal.ts";
import type { Orderer } from "./orders.ts";

export interface Player extends Orderer {
  stack: TestStack;
  /** Only those who signed up at Auth have one. */
  password?: string;
  email?: string;
  /** What the shop window showed when it was last looked at. */
  window: Raffle[];
  retries: { id: string; retry_of: string }[];
  purchases: Map<string, Purchase>;
  tickets: Ticket[];
  topups: Topup[];
}

export interface Raffle {
  id: string;
  numbering: "SEQUENTIAL" | "PICK" | "RANDOM";
  tickets_required: number;
  tickets_remaining: number;
}

export interface Purchase {
  id: string;
  raffle_id: string;
  status: string;
  quantity: number;
  payment_method: "wallet" | "card";
  redeemed: boolean;
  intent?: string;
}

export interface Ticket {
  id: number;
  raffle_id: string;
}

export interface Topup {
  id: string;
  checkoutUrl?: string;
  intent?: string;
}

export interface Staff extends Orderer {
  role: "operator" | "admin";
  /** Raffles that this person has made, and can go on with. */
  made: string[];
}

export interface World {
  stack: TestStack;
  journal: Journal;
  players: Player[];
  operators: Staff[];
  admin: Staff;
}

/** Each has chances of their own: what one does does not depend on when another one does something. */
export const chancesOf = (seed: number, number: number) =>
  randomOf(seeded(Math.imul(seed + 1, 2_654_435_761) + Math.imul(number, 40_503)));

const PASSWORD = "correct horse battery";

export async function gather(
  stack: TestStack,
  journal: Journal,
  seed: number,
  numbers: { players: number; bySigningUp: number; operators: number },
): Promise<World> {
  const orderer = (name: string, id: string, token: string, number: number): Orderer => ({
    name,
    id,
    token,
    random: chancesOf(seed, number),
    journal,
    orders: [],
  });
  const player = (person: Orderer): Player => ({
    ...person,
    stack,
    window: [],
    retries: [],
    purchases: new Map(),
    tickets: [],
    topups: [],
  });
  const staff = async (name: string, role: Staff["role"], number: number): Promise<Staff> => {
    const { id } = await createUser(stack, { roles: [role] });
    return { ...orderer(name, id, tokenFor(id), number), role, made: [] };
  };

  // Auth plays its part for some; it takes a seventh of a second for each, so the rest get their tokens from us.
  const players: Player[] = [];
  for (let number = 0; number < numbers.bySigningUp; number++) {
    const email = `player${number}@example.test`;
    const { id, token } = await signUp(stack, email);
    players.push({
      ...player(orderer(`player-${number}`, id, token, number)),
      email,
      password: PASSWORD,
    });
  }
  const others = await crowd(stack, numbers.players - numbers.bySigningUp);
  for (const id of others) {
    const number = players.length;
    players.push(player(orderer(`player-${number}`, id, tokenFor(id), number)));
  }
  const operators: Staff[] = [];
  for (let number = 0; number < numbers.operators; number++) {
    operators.push(await staff(`operator-${number}`, "operator", 10_000 + number));
  }
  const admin = await staff("admin", "admin", 20_000);
  const world = { stack, journal, players, operators, admin };
  await welcome(world);
  return world;
}

async function signUp(stack: TestStack, email: string): Promise<{ id: string; token: string }> {
  const { auth } = clientFor(stack);
  await auth.signUp({ email, password: PASSWORD });
  const mails = await fetch(`${stack.apiUrl}/_local/mail?to=${encodeURIComponent(email)}`);
  const [{ text }] = (await mails.json()).items;
  await auth.verifyOtp({ email, token: /\b(\d{6})\b/.exec(text)![1], type: "signup" });
  const { data, error } = await auth.signInWithPassword({ email, password: PASSWORD });
  expect(error).toBeNull();
  return { id: data.user!.id, token: data.session!.access_token };
}

/** What everybody needs before it begins: an age, some money, and for most an account at a bank. */
async function welcome({ stack, journal, players, operators, admin }: World): Promise<void> {
  for (const [number, player] of players.entries()) {
    const rpc = async (staff: Staff, name: string, body: object) => {
      const { status, answer } = await journal.send(staff, `POST /rest/v1/rpc/${name}`, { body });
      expect(status, JSON.stringify(answer)).toBeLessThan(300);
    };
    const user_id = player.id;
    if (player.password) {
      await journal.send(player, "PATCH /account", { body: { birth_date: "1990-01-01" } });
    }
    const amount_cents = player.random.between(10, 200) * 100;
    await rpc(admin, "adjust_wallet", { user_id, currency: "EUR", amount_cents, note: "welcome" });
    if (number % 4 === 3) continue;
    const operator = operators[number % operators.length];
    const account = `acct_player${number}`;
    await control(stack, "POST /accounts", { id: account });
    await rpc(operator, "set_kyc_status", { user_id, status: "VERIFIED" });
    await rpc(operator, "set_payout_account", { user_id, account });
  }
}
