// People as a frontend knows them: they sign up by mail, have a session, and call functions with it.
import type { SupabaseClient } from "@supabase/supabase-js";
import { createClient } from "@supabase/supabase-js";
import type { Database } from "../../../shared/database.types.ts";
import type { StackDescription } from "../stack.ts";

export interface Person {
  name: string;
  id: string;
  supabase: SupabaseClient<Database>;
  /** Calls a function; POSTs get an Idempotency-Key. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
}

export interface Answer {
  status: number;
  // deno-lint-ignore no-explicit-any
  body: any;
}

const PASSWORD = "rafflebase-demo";

const connect = ({ api_url, publishable_key }: StackDescription) =>
  createClient<Database>(api_url, publishable_key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });

export async function signIn(stack: StackDescription, email: string): Promise<Person> {
  const supabase = connect(stack);
  const { data, error } = await supabase.auth.signInWithPassword({ email, password: PASSWORD });
  if (error) throw new Error(`${email} cannot sign in: ${error.message}`);
  return personOf(stack, supabase, email.split("@")[0], data.session.access_token, data.user.id);
}

/** Signs up, takes the code from the mail, and says who they are. */
export async function signUp(
  stack: StackDescription,
  name: string,
  profile: Record<string, unknown> = {},
): Promise<Person> {
  const supabase = connect(stack);
  const email = `${name.toLowerCase()}.${crypto.randomUUID().slice(0, 8)}@example.com`;
  const options = { data: { display_name: name } };
  const { error } = await supabase.auth.signUp({ email, password: PASSWORD, options });
  if (error) throw new Error(`${name} cannot sign up: ${error.message}`);
  const mails = await fetch(`${stack.api_url}/_local/mail?to=${encodeURIComponent(email)}`);
  const [mail] = (await mails.json()).items;
  const token = /\b(\d{6})\b/.exec(mail.text)![1];
  const { data, error: refused } = await supabase.auth.verifyOtp({ email, token, type: "signup" });
  if (refused) throw new Error(`${name}'s code is refused: ${refused.message}`);
  const person = personOf(stack, supabase, name, data.session!.access_token, data.user!.id);
  await expectStatus(
    200,
    person.call("PATCH", "/account", { birth_date: "1990-01-01", ...profile }),
  );
  return person;
}

function personOf(
  stack: StackDescription,
  supabase: Person["supabase"],
  name: string,
  token: string,
  id: string,
): Person {
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await fetch(`${stack.api_url}/functions/v1${path}`, {
      method,
      headers: {
        apikey: stack.publishable_key,
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        ...(method === "POST" && { "idempotency-key": crypto.randomUUID() }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  };
  return { name, id, supabase, call };
}

export async function expectStatus(
  status: number,
  answering: Promise<Answer>,
): Promise<Answer["body"]> {
  const { status: got, body } = await answering;
  if (got !== status) throw new Error(`expected ${status}, got ${got}: ${JSON.stringify(body)}`);
  return body;
}
