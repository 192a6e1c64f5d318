import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

const count = z.int();

export const contract = defineContract("send-notifications", {
  sendDue: {
    method: "post",
    path: "/",
    summary: "Send what people are to be told, at most a bounded number a call",
    caller: "scheduler",
    response: z.object({ sent: count, skipped: count, failed: count }),
  },
});
