// Each function's bundle against the hosted limit of 20 MB; its memory and import time are printed.
import { build, stop } from "esbuild";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { functionsEnvironment } from "../../supabase/local/environment.ts";
import { listFunctions } from "../../supabase/local/functions/load.ts";
import { readKeys } from "../../supabase/local/keys.ts";
import { baseEnvironment } from "../../supabase/local/process.ts";
import { root } from "../../supabase/local/root.ts";

const LIMIT_BYTES = 20_000_000;
const deno = Deno.env.get("FUNCTIONS_DENO") ?? Deno.execPath();

/** Not minified and nothing shaken off: more than is deployed rather than less. */
async function bundledBytes(name: string): Promise<number> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [`functions/${name}/index.ts`],
    bundle: true,
    platform: "node",
    format: "esm",
    treeShaking: false,
    write: false,
    logLevel: "error",
  });
  return outputFiles.reduce((sum, { contents }) => sum + contents.byteLength, 0);
}

async function measure(name: string, env: Record<string, string>) {
  const run = await new Deno.Command(deno, {
    args: ["run", "-A", "--no-prompt", "--node-modules-dir=manual"]
      .concat([`${root}test/ci/measure-function.ts`, name]),
    cwd: root,
    env: { ...baseEnvironment(), ...env },
    clearEnv: true,
    stdin: "null",
  }).output();
  if (!run.success) throw new Error(`${name}: ${new TextDecoder().decode(run.stderr).trim()}`);
  return JSON.parse(new TextDecoder().decode(run.stdout));
}

function settings(): Record<string, string> {
  const directory = mkdtempSync(join(tmpdir(), "rafflebase-"));
  try {
    const nowhere = "http://127.0.0.1:9";
    const at = { api: nowhere, stripe: nowhere, drand: nowhere, novu: nowhere };
    return functionsEnvironment(readKeys(directory), at);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const env = settings();
const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;
const tooLarge: string[] = [];
for (const name of listFunctions()) {
  const bytes = await bundledBytes(name);
  if (bytes >= LIMIT_BYTES) tooLarge.push(name);
  // The first run also transpiles; what a warm cache takes is what counts.
  await measure(name, env);
  const { milliseconds, rss, own, deno: version } = await measure(name, env);
  console.log(
    `${name}: ${bytes} bytes bundled; Deno ${version}: imported in ${milliseconds} ms, ` +
      `${megabytes(rss)} resident, ${megabytes(own)} of it its own`,
  );
}
await stop();
if (tooLarge.length > 0) throw new Error(`over ${LIMIT_BYTES} bytes: ${tooLarge.join(", ")}`);
