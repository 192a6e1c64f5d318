// The feed of official results: GET <LOTTERY_FEED_URL>?lottery=<name>&date=<yyyy-mm-dd> answers
// {"winning_number": "0421", "series": "123"}, or 404 while there is none.
import { z } from "zod";

const Result = z.object({
  winning_number: z.string().regex(/^[0-9]{1,6}$/),
  series: z.string().min(1).max(20).nullish().transform((series) => series ?? undefined),
});

const TIMEOUT_MS = 10_000;

export async function askFeed(feed: string, lottery: string, date: string) {
  const url = new URL(feed);
  url.searchParams.set("lottery", lottery);
  url.searchParams.set("date", date);
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.status === 404) return void await answer.body?.cancel();
  const text = await answer.text();
  if (!answer.ok) {
    throw new Error(`the lottery feed answers ${answer.status} for ${lottery} ${date}`);
  }
  const parsed = Result.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw new Error(`the lottery feed's answer for ${lottery} ${date} is not a result`);
  }
  return parsed.data;
}
