// Messages: each once, to whom it is meant.
import type { Guard } from "../guard.ts";

export const messages: Guard[] = [
  {
    name: "a message to each person once",
    file: "migrations/20261125000100_notifications.sql",
    from: `  constraint notifications_once unique (outbox_id, user_id),
`,
    to: "",
    and: [{
      from:
        `    where user_id > coalesce(p_row.details ->> 'told_to', '00000000-0000-0000-0000-000000000000')::uuid
`,
      to: "",
    }],
    test: "test/sql/notifications.test.ts",
    noticed: "a message to many is queued in parts, each person once, whatever breaks off",
  },
  {
    name: "a message to many goes on where it was",
    file: "migrations/20261125000100_notifications.sql",
    from:
      `    where user_id > coalesce(p_row.details ->> 'told_to', '00000000-0000-0000-0000-000000000000')::uuid
`,
    to: "",
    test: "test/sql/notifications.test.ts",
    noticed: "a message to many is queued in parts, each person once, whatever breaks off",
  },
  {
    name: "a message is handed to one sender",
    file: "migrations/20261125000100_notifications.sql",
    from: "      order by due_at, id limit p_max for update skip locked",
    to: "      order by due_at, id limit p_max",
    test: "test/sql/notifications.test.ts",
    noticed: "each is handed to one of twenty that ask at once",
  },
  {
    name: "a message is claimed for a while",
    file: "migrations/20261125000100_notifications.sql",
    from: `attempts = attempts + 1,
      due_at = clock_timestamp() + coalesce(app.retry_after(attempts + 1), '10 minutes')`,
    to: "attempts = attempts + 1",
    test: "test/sql/notifications.test.ts",
    noticed: "each is handed to one of twenty that ask at once",
  },
  {
    name: "what was sent is not sent again",
    file: "migrations/20261125000100_notifications.sql",
    from: `      where id = any (p_ids) and status = 'QUEUED'
      returning event`,
    to: `      where id = any (p_ids)
      returning event`,
    test: "test/sql/notifications.test.ts",
    noticed: "what was sent is not sent again, whoever says what afterwards",
  },
  {
    name: "what nobody came back for is given up",
    file: "migrations/20261125000100_notifications.sql",
    from: `status = 'QUEUED' and due_at <= clock_timestamp() and attempts > 5
`,
    to: `false
`,
    test: "test/sql/notifications.test.ts",
    noticed: "one whose sender never came back is due again, and given up after the sixth",
  },
  {
    name: "operators are told of what was given up",
    file: "migrations/20261125000100_notifications.sql",
    from: "    if p_status = 'DEAD' then",
    to: "    if false then",
    test: "test/sql/notifications.test.ts",
    noticed:
      "one that fails is tried again after 1, 5 and 30 minutes, 2 and 12 hours, then given up, and told",
  },
  {
    name: "only what was given up is queued again",
    file: "migrations/20261125000100_notifications.sql",
    from: `    where id = any (p_ids) and status = 'DEAD'
`,
    to: `    where id = any (p_ids)
`,
    test: "test/sql/notifications.test.ts",
    noticed: "operators queue again what was given up, and nobody else does",
  },
  {
    name: "messages of staff go to staff who are active",
    file: "migrations/20261125000100_notifications.sql",
    from: " and p.status = 'ACTIVE';",
    to: ";",
    test: "test/sql/notifications.test.ts",
    noticed: "an alert: to everyone who works here, once, while it is open",
  },
  {
    name: "who won is told so, and nobody else",
    file: "migrations/20261125000100_notifications.sql",
    from: "    where w.raffle_id = p_row.subject_id and t.user_id = p_user_id) then 'won'",
    to: "    where w.raffle_id = p_row.subject_id) then 'won'",
    test: "test/sql/notifications.test.ts",
    noticed: "a raffle that is full, sealed, won and not won: to each once, however many tickets",
  },
  {
    name: "an alert is told once",
    file: "migrations/20261125000100_notifications.sql",
    from: "create trigger tell_alert after insert on",
    to: "create trigger tell_alert after insert or update on",
    test: "test/sql/notifications.test.ts",
    noticed: "an alert: to everyone who works here, once, while it is open",
  },
  {
    name: "messages are kept for their retention",
    file: "migrations/20261125000100_notifications.sql",
    from:
      `      and ended_at < app.clock() - make_interval(days => app.setting('notification_retention_days'))
`,
    to: "",
    test: "test/sql/notifications.test.ts",
    noticed: "what was sent is kept as long as the setting says, what was given up for longer",
  },
  {
    name: "people are told their own numbers",
    file: "migrations/20261125000200_messages.sql",
    from: "  where raffle_id = p_raffle_id and user_id = p_user_id and (p",
    to: "  where raffle_id = p_raffle_id and (p",
    test: "test/sql/notifications.test.ts",
    noticed: "a raffle that is full, sealed, won and not won: to each once, however many tickets",
  },
  {
    name: "who has claimed a prize is not asked to",
    file: "migrations/20261125000200_messages.sql",
    from: " and (p_event = 'prize_sent' or c.status = 'OFFERED')",
    to: "",
    test: "test/sql/notifications.test.ts",
    noticed: "whoever has claimed a prize meanwhile is not asked to",
  },
  {
    name: "a reminder comes once",
    file: "migrations/20261123000400_prize_claims.sql",
    from: " and c.reminders < due.reminder",
    to: "",
    test: "test/sql/notifications.test.ts",
    noticed: "a prize that waits: reminded a week before and a day before, then sent",
  },
  {
    name: "a message is to whom it is meant",
    file: "migrations/20261121000550_outbox.sql",
    from: "values (p_event, p_user_id, p_subject_id, p_details)",
    to: "values (p_event, null, p_subject_id, p_details)",
    test: "test/sql/notifications.test.ts",
    noticed: "a confirmed address: welcome",
  },
  {
    name: "a message that is sent again is not a second message",
    file: "shared/novu.ts",
    from: `    transactionId: id,
`,
    to: "",
    test: "test/functions/send-notifications.test.ts",
    noticed:
      "a purchase sends its receipt once: numbers, amount, raffle, under the notification's id",
  },
  {
    name: "who wants nothing by a channel gets nothing by it",
    file: "functions/send-notifications/send.ts",
    from: "isEssential(event) || person.channels[channel] !== false",
    to: "true",
    test: "test/functions/send-notifications.test.ts",
    noticed: "does not, but for what they must know",
  },
  {
    name: "what people must know they are told",
    file: "functions/send-notifications/send.ts",
    from: "isEssential(event) || person",
    to: "person",
    test: "test/functions/send-notifications.test.ts",
    noticed: "does not, but for what they must know",
  },
  {
    name: "in an outage the sender stops",
    file: "functions/send-notifications/send.ts",
    from: " || nothingWorked) break",
    to: ") break",
    test: "test/functions/send-notifications.test.ts",
    noticed: "has an outage, what is due waits for the next call instead of being tried to the end",
  },
  {
    name: "facts are what a message needs",
    file: "shared/notifications/render.ts",
    from: `  if (error) throw new Error(\`\${event}: \${error.issues.map(describe).join("; ")}\`);
`,
    to: "",
    test: "test/unit/notification-rendering.test.ts",
    noticed: ": a fact too many, too few, of another kind",
  },
  {
    name: "an event is one that has words",
    file: "shared/notifications/render.ts",
    from: "!Object.hasOwn(catalogue, event)",
    to: "!(event in catalogue)",
    test: "test/unit/notification-rendering.test.ts",
    noticed: "there is no event “",
  },
  {
    name: "winning is no advertisement",
    file: "shared/notifications/catalogue.ts",
    from: `workflow: "won",
    essential: true`,
    to: `workflow: "won",
    essential: false`,
    test: "test/unit/notifications.test.ts",
    noticed: "only what is company is left to people's preferences",
  },
];
