import { Hono } from "hono";
import { type ChainInfo, roundAt, timeOfRound } from "./chain.ts";
import type { Clock } from "./clock.ts";
import { FaultError, type FaultPlan, readControlBody, readDelay } from "../faults.ts";

const SIGNATURE_BITS = 48 * 8;

/** Every verb is POST /_control/<verb>; this is what GET /_control answers. */
const VERBS = {
  down: "every request is answered 503 {times?}",
  slow: "answers late {delay_ms = 5000, times?}",
  wrong_round: "a true answer, but of the round before {times?}",
  replayed_round: "the round asked for with the signature of the round before {times?}",
  wrong_chain: "rounds and info of another chain, well signed by its key {times?}",
  flipped_signature: "one bit of the signature flipped, randomness to match {bit = 383, times?}",
  wrong_randomness: "a good signature with a randomness that is not its hash {times?}",
  malformed_json: "200 with a body that is not JSON {times?}",
  truncated_body: "half the body, then the connection breaks {times?}",
  clock: "{to_round} or {to_time: unix seconds} or {advance_seconds}; {freeze: true|false}",
  heal: "ends every fault, leaves the clock",
  reset: "ends every fault and gives back the real clock",
};

const FAULTS = Object.keys(VERBS).filter((verb) => !["clock", "heal", "reset"].includes(verb));

export function createControl(info: ChainInfo, clock: Clock, faults: FaultPlan): Hono {
  const app = new Hono();
  const state = () => ({
    faults: faults.list(),
    clock: {
      now: clock.now() / 1000,
      frozen: clock.frozen,
      round: roundAt(info, clock.now()),
    },
  });

  app.get("/", (c) => c.json({ verbs: VERBS, ...state() }));

  app.post("/:verb", async (c) => {
    const verb = c.req.param("verb");
    const body = await readControlBody(c.req.raw);
    if (verb === "clock") moveClock(info, clock, body);
    else if (verb === "heal") faults.clear();
    else if (verb === "reset") {
      faults.clear();
      clock.reset();
    } else if (FAULTS.includes(verb)) {
      if (verb === "slow") body.delay_ms = readDelay(body, 5000);
      if (verb === "flipped_signature") body.bit = readBit(body);
      faults.add(verb, body);
    } else return c.json({ error: `no such verb: ${verb}`, verbs: VERBS }, 404);
    return c.json(state());
  });

  app.onError((error, c) => {
    if (error instanceof FaultError) return c.json({ error: error.message }, 400);
    throw error;
  });
  return app;
}

/** Freezing comes before moving, so that {freeze: true, to_round: n} stands exactly at round n. */
function moveClock(info: ChainInfo, clock: Clock, body: Record<string, unknown>): void {
  const { freeze, to_round: round, to_time: time, advance_seconds: seconds } = body;
  const moves = [round, time, seconds].filter((move) => move !== undefined);
  if (moves.length > 1) throw new FaultError("give one of to_round, to_time, advance_seconds");
  if (moves.length === 0 && freeze === undefined) throw new FaultError("nothing to do");
  if (moves.some((move) => !Number.isFinite(move))) throw new FaultError("must be a number");
  if (freeze !== undefined && typeof freeze !== "boolean") {
    throw new FaultError("freeze must be true or false");
  }
  if (round !== undefined && !(Number.isSafeInteger(round) && Number(round) > 0)) {
    throw new FaultError("to_round must be a whole number above 0");
  }
  let target = clock.now();
  if (round !== undefined) target = timeOfRound(info, Number(round)) * 1000;
  if (time !== undefined) target = Number(time) * 1000;
  if (seconds !== undefined) target += Number(seconds) * 1000;
  if (Math.abs(target) > Number.MAX_SAFE_INTEGER) throw new FaultError("too far");

  if (freeze === true) clock.freeze();
  if (moves.length > 0) clock.moveTo(target);
  if (freeze === false) clock.resume();
}

function readBit(body: Record<string, unknown>): number {
  const bit = body.bit ?? SIGNATURE_BITS - 1;
  if (!Number.isInteger(bit) || Number(bit) < 0 || Number(bit) >= SIGNATURE_BITS) {
    throw new FaultError(`bit must be 0 to ${SIGNATURE_BITS - 1}`);
  }
  return Number(bit);
}
