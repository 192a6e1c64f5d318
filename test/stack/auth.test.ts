// Sign-up to password reset, by supabase-js, as a frontend does it.
import { beforeAll, describe, expect, test } from "vitest";
import type { TestStack } from "../support/stack.ts";
import { call, clientFor, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack()));

const password = "correct horse battery";
const freshEmail = () => `${crypto.randomUUID().slice(0, 8)}@example.test`;

interface Mail {
  subject: string;
  text: string;
}

async function mailTo(address: string): Promise<Mail[]> {
  const answer = await fetch(`${stack.apiUrl}/_local/mail?to=${encodeURIComponent(address)}`);
  return (await answer.json()).items;
}

const codeIn = (mail: Mail) => /\b(\d{6})\b/.exec(mail.text)![1];

/** Signs up and follows the link of the mail; returns a client that is signed in. */
async function verifiedUser(email = freshEmail()) {
  const client = clientFor(stack);
  const { error } = await client.auth.signUp({
    email,
    password,
    options: { data: { display_name: "Ana" } },
  });
  expect(error).toBeNull();
  const [mail] = await mailTo(email);
  await client.auth.verifyOtp({ email, token: codeIn(mail), type: "signup" });
  return { client, email };
}

describe("signing up", () => {
  test("sends a mail whose link verifies the address, and makes the profile", async () => {
    const email = freshEmail();
    const client = clientFor(stack);
    const signUp = await client.auth.signUp({
      email,
      password,
      options: { data: { display_name: " Ana " } },
    });
    expect(signUp.data.session).toBeNull();

    const [mail] = await mailTo(email);
    const link = /http\S+\/auth\/v1\/verify\S+/.exec(mail.text)![0].replace(/[)\].]+$/, "");
    const followed = await fetch(link, { redirect: "manual" });
    await followed.body?.cancel();
    expect(followed.status).toBe(303);

    const { data } = await client.auth.signInWithPassword({ email, password });
    const account = await call(stack, "GET", "/account", { token: data.session!.access_token });
    expect(account.body.profile).toMatchObject({ id: data.user!.id, display_name: "Ana" });
  });

  test("an unverified user has no session and cannot get one", async () => {
    const email = freshEmail();
    const client = clientFor(stack);
    await client.auth.signUp({ email, password });
    const { data, error } = await client.auth.signInWithPassword({ email, password });
    expect(data.session).toBeNull();
    expect(error?.code).toBe("email_not_confirmed");
  });

  test("a second account for the same address is not made", async () => {
    const { email } = await verifiedUser();
    const again = await clientFor(stack).auth.signUp({ email: email.toUpperCase(), password });
    expect(again.data.session).toBeNull();
    const users = await stack.sql`select from auth.users where lower(email) = ${email}`;
    expect(users).toHaveLength(1);
  });

  test("a weak password is refused", async () => {
    const { error } = await clientFor(stack).auth.signUp({
      email: freshEmail(),
      password: "short",
    });
    expect(error?.code).toBe("weak_password");
  });

  test("a sign-up form's bad data do not stop the sign-up", async () => {
    const email = freshEmail();
    const data = {
      display_name: "x".repeat(500),
      locale: "xx",
      country: 7,
      role: "admin",
      status: "GOD",
    };
    const { error } = await clientFor(stack).auth.signUp({ email, password, options: { data } });
    expect(error).toBeNull();
    const [profile] = await stack.sql`
      select p.* from public.profiles p join auth.users u using (id) where u.email = ${email}`;
    expect(profile).toMatchObject({
      display_name: "x".repeat(80),
      locale: "en",
      country: null,
      status: "ACTIVE",
    });
  });
});

describe("sessions", () => {
  test("an unknown user and a wrong password get the same answer", async () => {
    const { email } = await verifiedUser();
    const wrong = await clientFor(stack).auth.signInWithPassword({
      email,
      password: "wrong password",
    });
    const unknown = await clientFor(stack).auth.signInWithPassword({
      email: freshEmail(),
      password,
    });
    expect(wrong.error).toMatchObject({ status: 400, code: "invalid_credentials" });
    expect({ ...unknown.error }).toEqual({ ...wrong.error });
    expect(unknown.error!.message).toBe(wrong.error!.message);
  });

  test("refreshing rotates the token; an old one is refused and ends the session", async () => {
    const { client } = await verifiedUser();
    const first = (await client.auth.getSession()).data.session!;
    const refresh = (refresh_token: string) =>
      clientFor(stack).auth.refreshSession({ refresh_token });
    const second = (await refresh(first.refresh_token)).data.session!;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect((await call(stack, "GET", "/account", { token: second.access_token })).status).toBe(200);
    const third = (await refresh(second.refresh_token)).data.session!;

    const reused = await refresh(first.refresh_token);
    expect(reused.error?.code).toBe("refresh_token_already_used");
    expect((await refresh(third.refresh_token)).error).not.toBeNull();
  });

  test("logging out kills the refresh token", async () => {
    const { client } = await verifiedUser();
    const { refresh_token } = (await client.auth.getSession()).data.session!;
    expect((await client.auth.signOut()).error).toBeNull();
    const { error } = await clientFor(stack).auth.refreshSession({ refresh_token });
    expect(error).not.toBeNull();
  });
});

describe("a forgotten password", () => {
  test("is reset by mail, once, and the old one no longer works", async () => {
    const { email } = await verifiedUser();
    const client = clientFor(stack);
    expect((await client.auth.resetPasswordForEmail(email)).error).toBeNull();
    const token = codeIn((await mailTo(email))[0]);
    expect((await client.auth.verifyOtp({ email, token, type: "recovery" })).error).toBeNull();
    expect((await client.auth.updateUser({ password: "a new one, longer" })).error).toBeNull();

    const second = await clientFor(stack).auth.verifyOtp({ email, token, type: "recovery" });
    expect(second.error).not.toBeNull();
    expect((await clientFor(stack).auth.signInWithPassword({ email, password })).error).not
      .toBeNull();
    const signedIn = await clientFor(stack).auth.signInWithPassword({
      email,
      password: "a new one, longer",
    });
    expect(signedIn.error).toBeNull();
  });

  test("gets the same answer for an address nobody has", async () => {
    const { email } = await verifiedUser();
    const unknown = freshEmail();
    const answers = await Promise.all(
      [email, unknown].map((one) => clientFor(stack).auth.resetPasswordForEmail(one)),
    );
    expect(answers[1]).toEqual(answers[0]);
    expect(await mailTo(unknown)).toEqual([]);
  });
});
