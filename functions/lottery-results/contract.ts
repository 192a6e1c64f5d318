import { z } from "zod";
import { defineContract } from "../../shared/contract.ts";

const result = z.object({ lottery_id: z.uuid(), draw_date: z.iso.date() });

export const contract = defineContract("lottery-results", {
  fetchResults: {
    method: "post",
    path: "/",
    summary: "Ask the feed for the official results that raffles wait for",
    caller: "scheduler",
    response: z.object({ entered: z.array(result), missing: z.array(result) }),
  },
});
