// Runs the functions process and, while developing, changes it for a new one when a file changes.
import type { Part } from "../process.ts";
import { answersReady, denoCommand, startPart } from "../process.ts";
import { freePort } from "../ports.ts";
import { root } from "../root.ts";

export interface Functions {
  /** Where the functions answer now: the port moves when edited code takes over. */
  url(): string;
  kill(): void;
  stop(): Promise<void>;
}

export interface FunctionsOptions {
  directory: string;
  environment: Record<string, string>;
  watch: boolean;
}

export async function startFunctions(options: FunctionsOptions): Promise<Functions> {
  let current = await launch(options);
  const watcher = options.watch ? Deno.watchFs([`${root}functions`, `${root}shared`]) : null;

  // The old process serves until the new one is ready; code that does not start changes nothing.
  const replace = async () => {
    try {
      const next = await launch(options);
      const old = current;
      current = next;
      await old.part.stop();
      console.log("functions: your change is live");
    } catch (error) {
      console.error(
        `${(error as Error).message}\nfunctions: the version before your change still runs`,
      );
    }
  };
  const follow = async () => {
    let pending: ReturnType<typeof setTimeout> | undefined;
    let replacing = Promise.resolve();
    for await (const { kind } of watcher!) {
      if (kind === "access") continue;
      clearTimeout(pending);
      pending = setTimeout(() => replacing = replacing.then(replace), 150);
    }
  };
  if (watcher) follow();

  return {
    url: () => current.url,
    kill: () => current.part.kill(),
    async stop() {
      watcher?.close();
      await current.part.stop();
    },
  };
}

async function launch(options: FunctionsOptions): Promise<{ part: Part; url: string }> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const part = await startPart({
    name: "functions",
    directory: options.directory,
    // CI runs the functions once more under the older Deno that hosted Supabase has.
    command: denoCommand(new URL("main.ts", import.meta.url), Deno.env.get("FUNCTIONS_DENO")),
    env: { ...options.environment, PORT: String(port) },
    echo: options.watch,
    ready: answersReady(url),
  });
  return { part, url };
}
