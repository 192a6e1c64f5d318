import { Hono } from "hono";
import { FaultError, type FaultPlan, readControlBody, readDelay } from "../faults.ts";

/** Every verb is POST /_control/<verb>; this is what GET /_control answers. */
const VERBS = {
  fail: "refuses without recording {status = 500 | 429 | 401, times?, probability?, seed = 1}",
  break_after:
    "records, then breaks the connection after the status line {times?, probability?, seed = 1}",
  hang_after: "records, then does not answer {delay_ms = an hour, times?, probability?, seed = 1}",
  down: "every request is answered 503, nothing is recorded {times?}",
  slow: "answers late {delay_ms = 5000, times?}",
  heal: "ends every fault, keeps what was recorded",
  reset: "ends every fault and forgets everything recorded",
};

const STATUSES = [500, 429, 401];
/** Long past any caller's patience; healing, resetting or hanging up ends it sooner. */
const HANG_MS = 3_600_000;

export function createControl(faults: FaultPlan, forget: () => void): Hono {
  const app = new Hono();

  app.get("/", (c) => c.json({ verbs: VERBS, faults: faults.list() }));

  app.post("/:verb", async (c) => {
    const verb = c.req.param("verb");
    const body = await readControlBody(c.req.raw);
    switch (verb) {
      case "heal":
        faults.clear();
        break;
      case "reset":
        faults.clear();
        forget();
        break;
      case "fail": {
        const { status = 500 } = body;
        if (!STATUSES.includes(status as number)) {
          throw new FaultError(`status must be one of ${STATUSES.join(", ")}`);
        }
        faults.add(verb, { ...body, status });
        break;
      }
      case "slow":
        faults.add(verb, { ...body, delay_ms: readDelay(body, 5000) });
        break;
      case "hang_after":
        faults.add(verb, { ...body, delay_ms: readDelay(body, HANG_MS) });
        break;
      case "break_after":
      case "down":
        faults.add(verb, body);
        break;
      default:
        return c.json({ error: `no such verb: ${verb}`, verbs: VERBS }, 404);
    }
    return c.json({ faults: faults.list() });
  });

  app.onError((error, c) => {
    if (error instanceof FaultError) return c.json({ error: error.message }, 400);
    throw error;
  });
  return app;
}
