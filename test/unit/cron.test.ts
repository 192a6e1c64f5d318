import { describe, expect, test } from "vitest";
import { isDue } from "../../supabase/local/cron.ts";

describe("the ticker reads schedules as pg_cron does", () => {
  test.each([
    ["* * * * *", "2026-11-21T10:00:00Z", true],
    ["* * * * *", "2026-11-21T10:00:01Z", false],
    ["17 * * * *", "2026-11-21T10:17:00Z", true],
    ["17 * * * *", "2026-11-21T10:18:00Z", false],
    ["*/15 8-18 * * *", "2026-11-21T18:45:00Z", true],
    ["*/15 8-18 * * *", "2026-11-21T19:00:00Z", false],
    ["0 0 1,15 * *", "2026-11-15T00:00:00Z", true],
    ["0 12 * * 7", "2026-11-22T12:00:00Z", true],
    ["0 12 * * 1-5", "2026-11-21T12:00:00Z", false],
    ["0 12 13 * 6", "2026-11-21T12:00:00Z", true],
    ["10 seconds", "2026-11-21T10:00:20Z", true],
    ["10 seconds", "2026-11-21T10:00:21Z", false],
    ["1 second", "2026-11-21T10:00:21Z", true],
  ])("%s at %s: %s", (schedule, at, due) => {
    expect(isDue(schedule, new Date(at))).toBe(due);
  });

  test("a schedule that is none is refused", () => {
    expect(() => isDue("every day", new Date("2026-11-21T10:00:00Z"))).toThrow(
      "not a cron schedule",
    );
  });
});
