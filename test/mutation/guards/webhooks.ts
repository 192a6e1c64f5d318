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
    name: "an event takes effect once",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: `  if not found then
    return jsonb_build_object('event_id', v_id, 'outcome', 'duplicate');
  end if;
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a misfit that is delivered again is a duplicate, and operators are told once",
  },
  {
    name: "an event that means nothing to us leaves no trace",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: `    return jsonb_build_object('event_id', v_id, 'outcome', 'ignored');
`,
    to: `    null;
`,
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "of a type that means nothing to us is ignored and leaves no trace",
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
    name: "connected accounts have nothing of ours but payouts",
    file: "migrations/20261121001500_stripe_doors.sql",
    from:
      `    when p_account is not null and p_object ->> 'object' <> 'payout' then app.quarantine(p_object, 'another account')
`,
    to: `    when false then null
`,
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "of somebody's connected account moves nothing of ours",
  },
  {
    name: "of a payment only what we use is kept",
    file: "migrations/20261121001500_stripe_doors.sql",
    from: "  where key in ('id', 'object',",
    to: "  where true or key in ('id', 'object',",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "of what is delivered only what we use is kept",
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
    name: "a payment that did not succeed is none",
    file: "migrations/20261121001300_stripe.sql",
    from:
      `  where p_type = 'payment_intent.succeeded' and p_intent ->> 'status' is distinct from 'succeeded'
    or`,
    to: "  where",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "credits nothing and is set aside",
  },
  {
    name: "a session is paid by one payment",
    file: "migrations/20261121001300_stripe.sql",
    from:
      "  if p_intent_id is null or p_intent_id is distinct from coalesce(p_topup.intent_id, p_intent_id) then",
    to: "  if false then",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a session that is paid by another payment than its own credits nothing",
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
    name: "what came before its payment is applied after it",
    file: "migrations/20261121001300_stripe.sql",
    from: `  perform app.apply_quarantined(p_intent_id);
`,
    to: "",
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "before the payment has come waits for it",
  },
  {
    name: "an id in the metadata is an id",
    file: "migrations/20261121001300_stripe.sql",
    from:
      "(substring(p_object -> 'metadata' ->> p_name from '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))::uuid",
    to: "(p_object -> 'metadata' ->> p_name)::uuid",
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
    name: "a refund is not another than before",
    file: "migrations/20261121001400_chargebacks.sql",
    from:
      `    when v_known.id is not null and (v_known.kind, v_known.intent_id, v_known.amount_cents)
      is distinct from (p_kind, v_payment.intent_id, v_amount) then 'it was another before'
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a refund that was another before takes nothing more",
  },
  {
    name: "refunds take at most what was paid",
    file: "migrations/20261121001400_chargebacks.sql",
    from: "  select least(p_payment.amount_cents, greatest(",
    to: "  select greatest(0, greatest(",
    test: "test/functions/stripe-webhook.test.ts",
    noticed: "is never more than was paid, however many refunds are told of",
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
    name: "a dispute that is won takes nothing",
    file: "migrations/20261121001400_chargebacks.sql",
    from: " and status <> 'won' and",
    to: " and",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
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
    name: "a refund that failed is not taken",
    file: "migrations/20261121001400_chargebacks.sql",
    from: "status not in ('failed', 'canceled')), 0),",
    to: "true), 0),",
    test: "test/properties/stripe-histories.test.ts",
    noticed: "histories come to the same, told once in order or often, shuffled and at once (SEED=",
  },
  {
    name: "a payout is of the account it went to",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from: "  if v_reason is null and p_account is distinct from v_withdrawal.destination then",
    to: "  if false then",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a payout of another account, amount or mode does not end a withdrawal",
  },
  {
    name: "a transfer goes where it was to go",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from:
      "  if v_reason is null and p_transfer ->> 'destination' is distinct from v_withdrawal.destination then",
    to: "  if false then",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a transfer elsewhere, in part, or of what was not sent moves nothing",
  },
  {
    name: "a transfer that we did not send is set aside",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from: `  elsif v_reason is null and v_withdrawal.status in ('CREATED', 'CANCELLED') then
    v_reason := 'nothing was sent';
  elsif v_reason is null and (p_transfer`,
    to: "  elsif v_reason is null and (p_transfer",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a transfer elsewhere, in part, or of what was not sent moves nothing",
  },
  {
    name: "a transfer that is reversed in part is set aside",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from:
      `  elsif v_reason is null and (p_transfer ->> 'amount_reversed')::bigint not in (0, v_withdrawal.amount_cents) then
    v_reason := 'reversed in part';
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a transfer elsewhere, in part, or of what was not sent moves nothing",
  },
  {
    name: "a payout that comes after it was given up is set aside",
    file: "migrations/20261121001450_stripe_payouts.sql",
    from:
      `  elsif v_reason is null and p_payout ->> 'status' not in ('failed', 'canceled') and v_withdrawal.status = 'FAILED'
    and v_withdrawal.provider_txn_id is null then
    v_reason := 'sent after it was given up';
`,
    to: "",
    test: "test/sql/stripe-misfits.test.ts",
    noticed: "a payout that is paid after it was given up is set aside",
  },
];
