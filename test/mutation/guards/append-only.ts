// What is never edited, and what is fixed once somebody has relied on it.
import type { Guard } from "../guard.ts";

export const appendOnly: Guard[] = [
  {
    name: "nobody edits the audit log",
    file: "migrations/20261121000500_audit.sql",
    from: `create trigger refuse_change before update or delete or truncate on public.audit_log
  for each statement execute function app.refuse_change();
`,
    to: "",
    test: "test/functions/admin.test.ts",
    noticed: "what staff change is in the audit log, which only admins read and nobody edits",
  },
  {
    name: "staff's changes of another's profile are recorded",
    file: "migrations/20261121000500_audit.sql",
    from: `for each row when (auth.uid() is distinct from new.id)
`,
    to: `for each row when (false)
`,
    test: "test/functions/admin.test.ts",
    noticed: "what staff change is in the audit log, which only admins read and nobody edits",
  },
  {
    name: "nobody edits the ledger",
    file: "migrations/20261121000900_ledger.sql",
    from: `create trigger refuse_change before update or delete or truncate on public.wallet_ledger
  for each statement execute function app.refuse_change();
`,
    to: "",
    test: "test/sql/ledger.test.ts",
    noticed: "the ledger refuses to be changed by",
  },
  {
    name: "append-only means no update, no deletion, no truncation",
    file: "migrations/20261121000100_foundation.sql",
    from: `  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'insufficient_privilege';`,
    to: "  return null;",
    test: "test/sql/ledger.test.ts",
    noticed: "the ledger refuses to be changed by",
  },
  {
    name: "nobody edits a confirmed result",
    file: "migrations/20261122000150_lotteries.sql",
    from:
      `create trigger refuse_change before update or delete or truncate on public.lottery_results
  for each statement execute function app.refuse_change();
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "is changed by nobody, the service role and the tables' owner included",
  },
  {
    name: "nobody edits the winners",
    file: "migrations/20261123000300_drawing.sql",
    from: `create trigger refuse_change before update or delete or truncate on public.winners
  for each statement execute function app.refuse_change();
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "is changed by nobody, the service role and the tables' owner included",
  },
  {
    name: "what was sealed is never changed",
    file: "migrations/20261123000200_sealing.sql",
    from:
      `    (old.raffle_id, old.ticket_count, old.ticket_root, old.chain_hash, old.round, old.round_at, old.sealed_at)
      is distinct from (new.raffle_id, new.ticket_count, new.ticket_root, new.chain_hash, new.round, new.round_at, new.sealed_at)
    or old.drawn_at is not null)`,
    to: "    false)",
    test: "test/sql/draw.test.ts",
    noticed: "is changed by nobody, the service role and the tables' owner included",
  },
  {
    name: "a drawn draw gets no second beacon",
    file: "migrations/20261123000200_sealing.sql",
    from: `
    or old.drawn_at is not null)
  execute function app.enforce_sealed_draw`,
    to: `)
  execute function app.enforce_sealed_draw`,
    test: "test/sql/draw.test.ts",
    noticed: "is changed by nobody, the service role and the tables' owner included",
  },
  {
    name: "a sealed draw is never deleted",
    file: "migrations/20261123000200_sealing.sql",
    from: `create trigger refuse_deletion before delete or truncate on public.draws
  for each statement execute function app.refuse_change();
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "is changed by nobody, the service role and the tables' owner included",
  },
  {
    name: "a ticket keeps its number and its owner",
    file: "migrations/20261122000400_purchases.sql",
    from: `    (old.id, old.raffle_id, old.ticket_num, old.user_id, old.purchase_id, old.created_at)
      is distinct from (new.id, new.raffle_id, new.ticket_num, new.user_id, new.purchase_id, new.created_at)
    or old.voided_at is not null)`,
    to: "    old.voided_at is not null)",
    test: "test/sql/purchases.test.ts",
    noticed: "no role changes, moves or deletes a ticket",
  },
  {
    name: "a voided ticket stays so",
    file: "migrations/20261122000400_purchases.sql",
    from: `
    or old.voided_at is not null)`,
    to: ")",
    test: "test/sql/purchases.test.ts",
    noticed: "what was voided stays so, whoever asks, and who cancelled is in the audit log",
  },
  {
    name: "a ticket is never deleted",
    file: "migrations/20261122000400_purchases.sql",
    from: `create trigger refuse_deletion before delete or truncate on public.tickets
  for each statement execute function app.refuse_change();
`,
    to: "",
    test: "test/sql/purchases.test.ts",
    noticed: "no role changes, moves or deletes a ticket",
  },
  {
    name: "a published raffle is never deleted",
    file: "migrations/20261122000300_publishing.sql",
    from: `create trigger refuse_deletion before delete on public.raffles
  for each row when (old.published_at is not null) execute function app.refuse_deletion();`,
    to: "",
    test: "test/sql/catalogue.test.ts",
    noticed: "a state only changes in its order, and a published raffle is not deleted",
  },
  {
    name: "terms are fixed once something is sold",
    file: "migrations/20261122000300_publishing.sql",
    from:
      `    or exists (select from app.raffle_lanes where raffle_id = old.id and fresh <= end_num - start_num)
  then
    perform app.fail('raffle_terms_frozen');
  end if;
  new :=`,
    to: `  then
    perform app.fail('raffle_terms_frozen');
  end if;
  new :=`,
    test: "test/sql/catalogue.test.ts",
    noticed: ": can be changed until the first sale, and by nobody after",
  },
  {
    name: "terms change only while the raffle is open",
    file: "migrations/20261122000300_publishing.sql",
    from: `  if old.state <> 'OPEN' or new.state <> 'OPEN'
    or exists`,
    to: "  if exists",
    test: "test/sql/catalogue.test.ts",
    noticed: "of a raffle that was cancelled stay, though nothing was sold",
  },
  {
    name: "new terms are checked as the first ones were",
    file: "migrations/20261122000300_publishing.sql",
    from: `  perform app.require_sound_terms(new);
  if (new.prize_id`,
    to: "  if (new.prize_id",
    test: "test/sql/catalogue.test.ts",
    noticed: "are checked again when they change, and the seats follow",
  },
  {
    name: "the prize of a published raffle is another one no more",
    file: "migrations/20261122000300_publishing.sql",
    from:
      "  if (new.prize_id, new.prizes_taken) is distinct from (old.prize_id, old.prizes_taken) then",
    to: "  if false then",
    test: "test/sql/catalogue.test.ts",
    noticed: "are checked again when they change, and the seats follow",
  },
  {
    name: "new terms come with new lanes",
    file: "migrations/20261122000300_publishing.sql",
    from: `  delete from app.raffle_lanes where raffle_id = old.id;
  perform app.make_lanes(old.id, new.tickets_required, new.lanes);
`,
    to: "",
    test: "test/sql/catalogue.test.ts",
    noticed: ": can be changed until the first sale, and by nobody after",
  },
  {
    name: "a prize is fixed once it has been played for",
    file: "migrations/20261122000300_publishing.sql",
    from: `  if exists (select from app.raffle_lanes l join public.raffles r on r.id = l.raffle_id
    where r.prize_id = old.id and r.state <> 'CANCELLED' and l.fresh <= l.end_num - l.start_num)
  then`,
    to: "  if false then",
    test: "test/sql/catalogue.test.ts",
    noticed: "until a ticket is sold, by nobody after",
  },
];
