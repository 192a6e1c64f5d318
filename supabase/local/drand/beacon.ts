import { type Context, Hono } from "hono";
import { type ChainInfo, roundAt, timeOfRound, toInfoV2 } from "./chain.ts";
import { Clock } from "./clock.ts";
import { createControl } from "./control.ts";
import {
  DEVELOPMENT_BEACON_ID,
  DEVELOPMENT_GENESIS_TIME,
  DEVELOPMENT_PERIOD,
  DEVELOPMENT_SECRET_KEY,
  STRANGER_SECRET_KEY,
} from "./development-chain.ts";
import { brokenBody, FaultPlan } from "../faults.ts";
import { createSigner, flipBit, randomnessOf } from "./signer.ts";

export interface BeaconOptions {
  /** 64 hex digits, below the order of the curve. */
  secretKey?: string;
  beaconId?: string;
  /** Unix seconds. */
  genesisTime?: number;
  /** Seconds. */
  period?: number;
  /** The real time in milliseconds, for tests that bring their own. */
  now?: () => number;
}

export interface Beacon {
  fetch: (request: Request) => Response | Promise<Response>;
  info: ChainInfo;
  /** Lets go of every request that waits, so that the host can shut down at once. */
  close: () => void;
}

const U64_MAX = 2n ** 64n - 1n;
const FOREVER = "public, max-age=604800, immutable";

/**
 * One drand node with drand's HTTP API (v1 and v2), for local development. It never answers a round
 * before its time, and it serves only by chain hash or beacon id: on a public relay `/public/latest`
 * is another chain, so a caller who forgets the hash must notice here.
 */
export function createBeacon(options: BeaconOptions = {}): Beacon {
  const chain = {
    beaconId: options.beaconId ?? DEVELOPMENT_BEACON_ID,
    genesisTime: options.genesisTime ?? DEVELOPMENT_GENESIS_TIME,
    period: options.period ?? DEVELOPMENT_PERIOD,
  };
  const own = createSigner({ ...chain, secretKey: options.secretKey ?? DEVELOPMENT_SECRET_KEY });
  const stranger = createSigner({ ...chain, secretKey: STRANGER_SECRET_KEY });
  const { info } = own;
  const clock = new Clock(options.now);
  const faults = new FaultPlan();

  function roundBody(round: number, version: 1 | 2) {
    const signer = faults.take("wrong_chain") ? stranger : own;
    const answered = faults.take("wrong_round") ? round - 1 : round;
    let signature = signer.sign(
      faults.take("replayed_round") ? Math.max(0, answered - 1) : answered,
    );
    const flip = faults.take("flipped_signature");
    if (flip) signature = flipBit(signature, Number(flip.detail.bit));
    if (version === 2) return { round: answered, signature };

    let randomness = randomnessOf(signature);
    if (faults.take("wrong_randomness")) randomness = flipBit(randomness, 0);
    return { round: answered, randomness, signature };
  }

  function answerLatest(c: Context, version: 1 | 2) {
    const round = roundAt(info, clock.now());
    if (round === 0) return c.text("Failed to get beacon", 500);
    c.header("Cache-Control", `public, must-revalidate, max-age=${secondsToNext(round)}`);
    return c.json(roundBody(round, version));
  }

  function answerRound(c: Context, version: 1 | 2) {
    const asked = BigInt(c.req.param("round") ?? "");
    // Real relays answer 0 with the latest round. Nobody means that: here it is an error.
    if (asked === 0n || asked > U64_MAX) return c.text("Failed to parse round", 400);
    const current = roundAt(info, clock.now());
    if (asked > BigInt(current)) {
      const wait = secondsToNext(current);
      c.header("Cache-Control", `must-revalidate, public, max-age=${wait}`);
      return c.text("Requested future beacon", 425);
    }
    c.header("Cache-Control", FOREVER);
    return c.json(roundBody(Number(asked), version));
  }

  function answerInfo(c: Context, version: 1 | 2) {
    const shown = faults.take("wrong_chain") ? stranger.info : info;
    return c.json(version === 1 ? shown : toInfoV2(shown));
  }

  function answerHealth(c: Context) {
    const round = roundAt(info, clock.now());
    c.header("Cache-Control", "no-cache");
    return c.json({ current: round, expected: round });
  }

  const secondsToNext = (round: number) =>
    Math.max(0, Math.floor(timeOfRound(info, round + 1) - clock.now() / 1000));

  const app = new Hono();
  app.route("/_control", createControl(info, clock, faults));
  app.get("/ping", (c) => c.text("."));

  app.use(async (c, next) => {
    const slow = faults.take("slow");
    if (slow) await faults.wait(Number(slow.detail.delay_ms), c.req.raw.signal);
    if (faults.take("down")) return c.text("Service Unavailable", 503);
    await next();
    c.header("Access-Control-Allow-Origin", "*");
    if (!c.res.ok) return;
    if (faults.take("malformed_json")) {
      const text = await c.res.text();
      c.res = new Response(text.slice(1), { headers: c.res.headers });
    } else if (faults.take("truncated_body")) {
      const text = await c.res.text();
      c.res = new Response(brokenBody(text.slice(0, text.length / 2)), { headers: c.res.headers });
    }
  });

  app.get("/chains", (c) => c.json([info.hash]));
  app.get("/v2/chains", (c) => c.json([info.hash]));
  app.get("/v2/beacons", (c) => c.json([info.metadata.beaconID]));

  const v1 = new Hono();
  v1.get("/info", (c) => answerInfo(c, 1));
  v1.get("/health", answerHealth);
  v1.get("/public/latest", (c) => answerLatest(c, 1));
  v1.get("/public/:round{[0-9]+}", (c) => answerRound(c, 1));
  app.route(`/${info.hash}`, v1);

  const v2 = new Hono();
  v2.get("/info", (c) => answerInfo(c, 2));
  v2.get("/health", answerHealth);
  v2.get("/rounds/latest", (c) => answerLatest(c, 2));
  v2.get("/rounds/:round{[0-9]+}", (c) => answerRound(c, 2));
  app.route(`/v2/chains/${info.hash}`, v2);
  app.route(`/v2/beacons/${info.metadata.beaconID}`, v2);

  app.notFound((c) => c.text("404 page not found", 404));

  return {
    fetch: (request) => app.fetch(request),
    info,
    close: () => faults.clear(),
  };
}
