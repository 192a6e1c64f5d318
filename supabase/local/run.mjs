// What every npm script starts with: installs the packages when they are missing or stale, then
// hands over to Deno. Plain JavaScript on Node's own modules, because nothing else is there yet.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";

const root = fileURLToPath(new URL("../../", import.meta.url));
const deno = `${root}node_modules/.bin/deno`;

if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Rafflebase needs Node 20 or newer; this is Node ${process.versions.node}.`);
}
const reason = staleness();
if (reason) install(reason);
handOver(process.argv.slice(2));

/** Why the packages must be installed, or null when they are as the lock file says. */
function staleness() {
  const wanted = JSON.parse(readFileSync(`${root}package-lock.json`, "utf8")).packages;
  if (!existsSync(`${root}node_modules/.package-lock.json`)) return "no packages yet";
  const present =
    JSON.parse(readFileSync(`${root}node_modules/.package-lock.json`, "utf8")).packages;
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === "" || (optional && !present[path])) continue;
    if (present[path]?.version !== version) return `${path} is not ${version}`;
  }
  return existsSync(deno) ? null : "Deno is missing";
}

function install(why) {
  console.log(`Installing packages (${why}) ...`);
  const npm = spawnSync(process.platform === "win32" ? "npm.cmd" : "npm", [
    "ci",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ], {
    cwd: root,
    stdio: "inherit",
  });
  if (npm.status !== 0) fail("npm ci failed; its own message is above.");
  const still = staleness();
  if (still) {
    fail(`npm ci finished, but ${still}. Were install scripts switched off (ignore-scripts)?`);
  }
}

/** Deno's standard input is a lifeline: when this process dies, however it dies, Deno sees it close. */
function handOver(args) {
  const child = spawn(deno, [
    "run",
    "--allow-all",
    "--no-prompt",
    "--node-modules-dir=manual",
    ...args,
  ], {
    cwd: root,
    stdio: ["pipe", "inherit", "inherit"],
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", DO_NOT_TRACK: "1", PARENT_LIFELINE: "stdin" },
  });
  const stop = () => child.kill("SIGTERM");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  // When npm is killed outright no signal comes; all that is seen is another parent.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event) {
    setInterval(() => process.ppid !== parent && stop(), 1000).unref();
  }
  child.on("error", (error) => fail(`Deno could not be started: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
