// A crowd that buys over HTTP, in a process of its own: raw keep-alive connections, each with one request
// under way, because fetch() would take more time than what it measures. CROWD says what to do.
import process from "node:process";
import type { Keys } from "../../supabase/local/keys.ts";
import { signToken } from "../../supabase/local/keys.ts";
import type { Run } from "./measure.ts";
import { p95 } from "./measure.ts";

export interface Crowd {
  /** Of the RPC, or of the function. */
  url: string;
  connections: number;
  /** All in raffle 0, else in any of the others. */
  hot: boolean;
  seconds: number;
  keys: Keys;
}

/** cpu: how many cores the crowd itself took. */
export type CrowdRun = Run & { cpu: number };

const PEOPLE = 20_000;
const WARM_UP_MS = 1000;
const id = (kind: string, n: number) =>
  `00000000-0000-4000-8000-${kind}${String(n).padStart(12 - kind.length, "0")}`;
const upTo = (count: number) => Math.floor(Math.random() * count);

function tokens({ jwt_secret }: Keys): string[] {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const claims = { role: "authenticated", aud: "authenticated", exp };
  return Array.from(
    { length: PEOPLE - 1 },
    (_, index) => signToken({ sub: id("", index + 2), ...claims }, jwt_secret),
  );
}

/** What functions/purchase sends to the database, or what a client sends to functions/purchase. */
function compose({ url, hot, keys }: Crowd, token: string): string {
  const { host, pathname } = new URL(url);
  const order = { raffle_id: id("1", hot ? 0 : 1 + upTo(200)), quantity: 1 };
  const key = crypto.randomUUID();
  const body = JSON.stringify(
    pathname.startsWith("/rpc/")
      ? {
        ...order,
        type: "ENTRY",
        payment_method: "wallet",
        redeem: true,
        numbers: null,
        ticket_id: null,
        idempotency_key: key,
      }
      : { ...order, payment_method: "wallet" },
  );
  return `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\napikey: ${keys.publishable_key}\r\n` +
    `authorization: Bearer ${token}\r\nidempotency-key: ${key}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

async function exchange(connection: Deno.Conn, request: string, buffer: Uint8Array) {
  const bytes = encoder.encode(request);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  for (let length = 0;;) {
    const read = await connection.read(buffer.subarray(length));
    const answer = decoder.decode(buffer.subarray(0, length += read ?? 0));
    if (!read) throw new Error(`the connection ended: ${answer}`);
    if (!isWhole(answer)) continue;
    if (!/^HTTP\/1.1 2/.test(answer)) throw new Error(answer);
    return;
  }
}

function isWhole(answer: string): boolean {
  const head = answer.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const [, length] = /^content-length: (\d+)/im.exec(answer) ?? [];
  return length ? answer.length === head + 4 + Number(length) : answer.endsWith("\r\n0\r\n\r\n");
}

async function run(options: Crowd): Promise<CrowdRun> {
  const people = tokens(options.keys);
  const { hostname, port } = new URL(options.url);
  const from = performance.now() + WARM_UP_MS;
  const until = from + options.seconds * 1000;
  const times: number[] = [];
  const cpuBefore = process.cpuUsage();
  await Promise.all(Array.from({ length: options.connections }, async () => {
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    const buffer = new Uint8Array(65_536);
    for (let began = performance.now(); began < until;) {
      await exchange(connection, compose(options, people[upTo(people.length)]), buffer);
      const ended = performance.now();
      if (ended >= from && ended < until) times.push(ended - began);
      began = ended;
    }
    connection.close();
  }));
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpu = (user + system) / 1000 / (WARM_UP_MS + options.seconds * 1000);
  return { tps: times.length / options.seconds, p95: p95(times), cpu };
}

console.log(JSON.stringify(await run(JSON.parse(Deno.env.get("CROWD")!))));
