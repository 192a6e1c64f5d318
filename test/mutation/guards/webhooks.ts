// What Stripe says: signatures, the inbox, and what does not fit.
import type { Guard } from "../guard.ts";

export const webhooks: Guard[] = [
  {
    name: "an event is signed",
    file: "functions/stripe-webhook/event.ts",
    from: `      await webhooks.constructEventAsync(body, signature!, secret, TOLERANCE_SECONDS);
`,
    to: "",
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "is refused when missing, senseless, of another secret or too old: 400 and no rows",
  },
  {
    name: "a signature is five minutes old at most",
    file: "functions/stripe-webhook/event.ts",
    from: "const TOLERANCE_SECONDS = 300;",
    to: "const TOLERANCE_SECONDS = 3_000_000;",
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "is refused when missing, senseless, of another secret or too old: 400 and no rows",
  },
  {
    name: "what is signed is an event",
    file: "functions/stripe-webhook/event.ts",
    from:
      `      if (!shape.safeParse(event).success) throw invalid({ path: "", message: "is not an event" });
`,
    to: "",
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "lets nothing in that is not an event",
  },
  {
    name: "a payment whose text cannot be stored is a payment",
    file: "functions/stripe-webhook/event.ts",
    from: "JSON.parse(new TextDecoder().decode(body), storable)",
    to: "JSON.parse(new TextDecoder().decode(body))",
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "whose text cannot be stored is about money all the same",
  },
  {
    name: "an effect and its event are one transaction",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: `  v_outcome := app.apply_stripe_object(v_object, v_type, p_event ->> 'account');
`,
    to:
      `  begin v_outcome := app.apply_stripe_object(v_object, v_type, p_event ->> 'account'); exception when others then v_outcome := 'ignored'; end;
`,
    test: "test/concurrency/completions.test.ts",
    noticed: "an event whose effect fails leaves nothing in the inbox, and can come again",
  },
  {
    name: "a payment has the amount that was asked for",
    file: "migrations/20261121001300_stripe.sql",
    from:
      `    when coalesce(p_object -> 'amount_total', p_object -> 'amount') is distinct from to_jsonb(p_amount) then 'another amount'
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "credits nothing and is set aside",
  },
  {
    name: "a payment has the currency that was asked for",
    file: "migrations/20261121001300_stripe.sql",
    from:
      `    when upper(p_object ->> 'currency') is distinct from p_currency then 'another currency'
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "credits nothing and is set aside",
  },
  {
    name: "a test's payment is no payment",
    file: "migrations/20261121001300_stripe.sql",
    from: `    when p_object -> 'livemode' is distinct from to_jsonb(p_livemode) then 'another mode'
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "credits nothing and is set aside",
  },
  {
    name: "a payment is paid in full",
    file: "migrations/20261121001300_stripe.sql",
    from:
      `      and coalesce(p_intent -> 'amount_received', p_intent -> 'amount') <> p_intent -> 'amount'
`,
    to: `      and false
`,
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "credits nothing and is set aside",
  },
  {
    name: "a payment that is not ours credits nothing, and is told",
    file: "migrations/20261121001300_stripe.sql",
    from:
      `    return case when v_status = 'succeeded' then app.quarantine(p_intent, 'not ours') else 'ignored' end;
  end if;
  v_reason := coalesce(v_reason`,
    to: `    return 'ignored';
  end if;
  v_reason := coalesce(v_reason`,
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "credits nothing and is set aside",
  },
  {
    name: "a refund is at most what was paid",
    file: "migrations/20261121001400_chargebacks.sql",
    from:
      `    when v_amount is null or v_amount not between 1 and v_payment.amount_cents then 'more than was paid'
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a refund of more than was paid, or in another currency, takes nothing",
  },
  {
    name: "a refund has its payment's currency",
    file: "migrations/20261121001400_chargebacks.sql",
    from:
      `    when upper(p_object ->> 'currency') is distinct from v_payment.currency then 'another currency'
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a refund of more than was paid, or in another currency, takes nothing",
  },
  {
    name: "an inquiry takes nothing",
    file: "migrations/20261121001400_chargebacks.sql",
    from: " and status not like 'warning%')",
    to: ")",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "an inquiry takes nothing, and the chargeback that it becomes takes the money at once",
  },
  {
    name: "a charge is not refunded more than was paid",
    file: "migrations/20261121001400_chargebacks.sql",
    from: "  if v_reason is null and v_refunded not between 0 and v_payment.amount_cents then",
    to: "  if false then",
    test: "test/sql/stripe-misfits.test.ts",
    noticed:
      "what a charge says was refunded of it is taken, and an older charge gives nothing back",
  },
  {
    name: "a payout is of the account it went to",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from: "  if v_reason is null and p_account is distinct from v_withdrawal.destination then",
    to: "  if false then",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a payout of another account, amount or mode does not end a withdrawal",
  },
];
