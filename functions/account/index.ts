import { systemDatabase } from "../../shared/database.ts";
import { endpoint } from "../../shared/endpoint.ts";
import { env } from "../../shared/env.ts";
import { ApiError } from "../../shared/errors.ts";
import { isSameSecret } from "../../shared/secret.ts";
import { signSubscriber } from "../../shared/novu.ts";
import { contract } from "./contract.ts";

const daysFromNow = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

export const app = endpoint(contract, {
  readAccount: ({ rpc }) => rpc("get_account"),
  async readInbox({ rpc }) {
    const { profile } = await rpc("get_account") as { profile: { id: string } };
    return { subscriber_id: profile.id, subscriber_hash: signSubscriber(profile.id) };
  },
  changeAccount: ({ rpc, body }) => rpc("update_account", { changes: body }),
  setLimit: ({ rpc, body }) => rpc("set_play_limit", body),
  excludeSelf({ rpc, body: { days = 0, until = daysFromNow(days) } }) {
    return rpc("exclude_self", { until });
  },
  async claimAdmin({ rpc, body, requestId }) {
    const claim_id = await rpc("begin_admin_claim");
    if (!isSameSecret(body.secret, env().ADMIN_SECRET)) throw new ApiError("not_permitted");
    // No user may make an admin where there is none: only this function, which has seen the secret.
    await systemDatabase(requestId)("grant_admin_claim", { claim_id });
    return rpc("get_account");
  },
});

Deno.serve(app.fetch);
