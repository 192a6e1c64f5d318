// The clock's jobs, realtime and the storefront.
import type { Guard } from "../guard.ts";

export const jobs: Guard[] = [
  {
    name: "each run is counted once",
    file: "migrations/20261128000100_jobs.sql",
    from: "d.runid > j.last_runid and ",
    to: "",
    test: "test/sql/jobs.test.ts",
    noticed: "counts failures until it succeeds again, each run once",
  },
  {
    name: "a job that calls a function needs its address and secret",
    file: "migrations/20261128000100_jobs.sql",
    from: "  if v_url is null or v_secret is null then",
    to: "  if false then",
    test: "test/sql/jobs.test.ts",
    noticed: "it fails by name without",
  },
  {
    name: "a function is called with the scheduler's secret",
    file: "migrations/20261128000100_jobs.sql",
    from: "'Bearer ' || v_secret",
    to: "'Bearer '",
    test: "test/sql/jobs.test.ts",
    noticed: "the request goes where Vault says, with the secret from there",
  },
  {
    name: "an answer that is an error is a failure",
    file: "migrations/20261128000100_jobs.sql",
    from: "between 200 and 299 then null",
    to: "between 200 and 599 then null",
    test: "test/sql/jobs.test.ts",
    noticed: "an answer that is an error, a time-out and no answer at all are failures",
  },
  {
    name: "an answer to an old call is no answer",
    file: "migrations/20261128000100_jobs.sql",
    from: " and r.created >= f.called_at",
    to: "",
    test: "test/sql/jobs.test.ts",
    noticed:
      "pg_net may begin to count anew, as after a crash: old numbers and old answers are no matter",
  },
  {
    name: "operators are told of a job that keeps failing",
    file: "migrations/20261128000100_jobs.sql",
    from: "from public.jobs where name = any (app.failing_jobs());",
    to: "from public.jobs where false;",
    test: "test/sql/jobs.test.ts",
    noticed: "of one that runs often is failing after three times, of one that runs rarely at once",
  },
  {
    name: "operators are told of a job that is late",
    file: "migrations/20261128000100_jobs.sql",
    from: "from public.jobs where name = any (app.late_jobs());",
    to: "from public.jobs where false;",
    test: "test/sql/jobs.test.ts",
    noticed: "is late when it should have run two minutes ago, unless the clock itself stood still",
  },
  {
    name: "drafts are not published",
    file: "migrations/20261127000100_realtime.sql",
    from: "    where r.published_at is not null and (",
    to: "    where (",
    test: "test/sql/realtime.test.ts",
    noticed: "nothing is streamed while nothing changes, nor of drafts, nor of anything else",
  },
  {
    name: "what is popular is counted by one at a time",
    file: "migrations/20261124000100_storefront.sql",
    from: `  perform pg_advisory_xact_lock(hashtextextended('refresh_popular', 0));
`,
    to: "",
    test: "test/concurrency/jobs.test.ts",
    noticed: "twenty of each at once do what one does",
  },
];
