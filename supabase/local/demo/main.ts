// `npm run demo`: plays the whole story on the stack that runs here, or on one of its own.
import { rmSync } from "node:fs";
import { leaveFolder, takeFolder } from "../owner.ts";
import { freePort } from "../ports.ts";
import { root } from "../root.ts";
import type { StackDescription } from "../stack.ts";
import { runningStack, startStack } from "../stack.ts";
import { narrateInJson, narrateInWords } from "./narrator.ts";
import { tellStory } from "./story.ts";

const home = `${root}supabase/.local`;

try {
  const unknown = Deno.args.find((one) => one !== "--json");
  if (unknown) throw new Error(`npm run demo does not know "${unknown}"; it knows --json.`);
  const json = Deno.args.includes("--json");
  const narrator = json ? narrateInJson() : narrateInWords();
  const say = (line: string) => json || console.log(line);
  await withStack(say, async (stack) => narrator.end(await tellStory(stack, narrator)));
  Deno.exit(0);
} catch (error) {
  console.error(
    `\nThe demo stopped: ${error instanceof Error ? error.message : JSON.stringify(error)}`,
  );
  Deno.exit(1);
}

async function withStack(
  say: (line: string) => void,
  work: (stack: StackDescription) => Promise<void>,
): Promise<void> {
  const running = runningStack(home);
  if (running) {
    say(`Playing on the stack at ${running.api_url}.`);
    await requireAnswer(running);
    return await work(running);
  }
  say("No stack is running here: starting one for the demo, which goes away with it.");
  const port = freePort();
  const directory = `${home}/passing-${port}`;
  if (!takeFolder(directory)) throw new Error(`Another stack is using ${directory}.`);
  try {
    const stack = await startStack({ directory, port });
    try {
      await work(stack.description);
    } finally {
      await stack.stop();
    }
  } finally {
    leaveFolder(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

async function requireAnswer({ api_url }: StackDescription): Promise<void> {
  try {
    const answer = await fetch(`${api_url}/functions/v1/health`);
    await answer.body?.cancel();
  } catch {
    throw new Error(`the stack at ${api_url} does not answer. Start it anew: npm start`);
  }
}
