// Loads one function alone, as a worker does, and prints what that took as JSON. Run by
// measure-functions.ts under the hosted runtime's Deno.
const serve = Deno.serve;
let served = false;
Deno.serve = (() => void (served = true)) as unknown as typeof Deno.serve;

const before = Deno.memoryUsage().rss;
const started = performance.now();
await import(new URL(`../../functions/${Deno.args[0]}/index.ts`, import.meta.url).href);
const milliseconds = Math.round(performance.now() - started);
const { rss } = Deno.memoryUsage();
Deno.serve = serve;

if (!served) throw new Error(`functions/${Deno.args[0]} does not call Deno.serve`);
console.log(JSON.stringify({ milliseconds, rss, own: rss - before, deno: Deno.version.deno }));
