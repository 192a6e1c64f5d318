import { beforeAll, expect, test } from "vitest";
import type { TestStack } from "../support/stack.ts";
import { call, signUp, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => void (stack = await testStack()));

test("a user reads their own profile", async () => {
  const ana = await signUp(stack);
  const answer = await call(stack, "GET", "/account", { token: ana.token });
  expect(answer.status).toBe(200);
  expect(answer.body.profile.id).toBe(ana.id);
  expect(answer.body.roles).toEqual(["player"]);
});
