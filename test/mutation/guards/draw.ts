// The draw: sealing, the round, the beacon, the arithmetic, official lotteries, the verifier.
import type { Guard } from "../guard.ts";

export const draw: Guard[] = [
  {
    name: "the round that decides comes out a minute after the seal",
    file: "migrations/20261123000200_sealing.sql",
    from: "v_sealed_at + interval '60 seconds'",
    to: "v_sealed_at - interval '60 seconds'",
    test: "test/sql/draw.test.ts",
    noticed: "names the first round that comes out a minute later or more",
  },
  {
    name: "the round is the first from then on",
    file: "migrations/20261123000200_sealing.sql",
    from: "ceil(extract(epoch from p_time - p_chain.genesis) / p_chain.period_seconds) + 1)",
    to: "floor(extract(epoch from p_time - p_chain.genesis) / p_chain.period_seconds) + 1)",
    test: "test/sql/draw.test.ts",
    noticed: "names the first round that comes out a minute later or more",
  },
  {
    name: "a draw has all of its beacon or nothing",
    file: "migrations/20261123000200_sealing.sql",
    from:
      `  constraint draws_beacon check (num_nulls(signature, randomness) in (0, 2) and (signature is null or round is not null))
`,
    to: `  constraint draws_beacon check (true)
`,
    test: "test/sql/draw.test.ts",
    noticed:
      "whatever writes it, a draw has all of its beacon, a ticket one place, and one chain is in use",
  },
  {
    name: "nobody cancels in the last ten seconds before the round",
    file: "migrations/20261123000200_sealing.sql",
    from: "round_at < clock_timestamp() + interval '10 seconds')",
    to: "round_at < clock_timestamp() - interval '1 hour')",
    test: "test/sql/draw.test.ts",
    noticed: "ends buying, redeeming and cancelling in time to win",
  },
  {
    name: "a raffle is drawn by the round it named",
    file: "migrations/20261123000300_drawing.sql",
    from: "p_round is distinct from v_draw.round or ",
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "takes no other round, no other randomness and nothing before its time",
  },
  {
    name: "a raffle is not drawn before its round is out",
    file: "migrations/20261123000300_drawing.sql",
    from: `v_draw.round_at > clock_timestamp()
    or coalesce`,
    to: "coalesce",
    test: "test/sql/draw.test.ts",
    noticed: "takes no other round, no other randomness and nothing before its time",
  },
  {
    name: "the signature is one",
    file: "migrations/20261123000300_drawing.sql",
    from: `
    or coalesce(p_signature, '') !~ '^[0-9a-f]{96}$'`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "takes no other round, no other randomness and nothing before its time",
  },
  {
    name: "the randomness is the signature's hash",
    file: "migrations/20261123000300_drawing.sql",
    from: `
    or p_randomness is distinct from encode(sha256(decode(p_signature, 'hex')), 'hex')`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "takes no other round, no other randomness and nothing before its time",
  },
  {
    name: "a raffle that is drawn is not drawn again",
    file: "migrations/20261123000300_drawing.sql",
    from: `  elsif v_raffle.state <> 'CLOSED' then
    return false;
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "puts those first whom the beacon names, the same each time it is asked",
  },
  {
    name: "only a drawn raffle is settled, once",
    file: "migrations/20261123000300_drawing.sql",
    from: `  if v_raffle.state is distinct from 'DRAWN' then
    return false;
  end if;
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "pays prize money to the winners and the rest to the house, once",
  },
  {
    name: "what is not paid to winners goes to the house",
    file: "migrations/20261123000300_drawing.sql",
    from: "  if v_rest > 0 then",
    to: "  if v_rest < 0 then",
    test: "test/sql/draw.test.ts",
    noticed: "pays prize money to the winners and the rest to the house, once",
  },
  {
    name: "what was taken from stock and won by nobody goes back",
    file: "migrations/20261123000300_drawing.sql",
    from: `  update public.prizes set stock = stock + v_raffle.prizes_taken - (
    select count(*) from public.prize_claims where raffle_id = p_raffle_id)
  where id = v_raffle.prize_id;
`,
    to: "",
    test: "test/sql/draw.test.ts",
    noticed: "gives back to stock what was taken for places that are paid in money",
  },
  {
    name: "winners are in the order that the beacon names",
    file: "migrations/20261123000300_drawing.sql",
    from: `    order by place);
end`,
    to: `    order by place desc);
end`,
    test: "test/functions/draw.test.ts",
    noticed: "publishes what anyone needs to draw again, and other programs come to the same",
  },
  {
    name: "one place for each ticket",
    file: "migrations/20261123000300_drawing.sql",
    from: `  unique (raffle_id, ticket_num)
);
comment on table public.winners`,
    to: `  unique (raffle_id, ticket_num, place)
);
comment on table public.winners`,
    test: "test/sql/draw.test.ts",
    noticed:
      "whatever writes it, a draw has all of its beacon, a ticket one place, and one chain is in use",
  },
  {
    name: "a leaf is no inner node in SQL",
    file: "migrations/20261123000100_draw.sql",
    from: "sha256('\\x00'::bytea || uuid_send",
    to: "sha256('\\x01'::bytea || uuid_send",
    test: "test/functions/draw.test.ts",
    noticed: "publishes what anyone needs to draw again, and other programs come to the same",
  },
  {
    name: "a leaf says which ticket it is in SQL",
    file: "migrations/20261123000100_draw.sql",
    from: "|| int4send(ticket_num)",
    to: "|| int4send(0)",
    test: "test/functions/draw.test.ts",
    noticed: "publishes what anyone needs to draw again, and other programs come to the same",
  },
  {
    name: "words that would favour low numbers are passed over in SQL",
    file: "migrations/20261123000100_draw.sql",
    from: "  return p_words - p_words % p_below;",
    to: "  return p_words;",
    test: "test/sql/draw.test.ts",
    noticed: "passes over the words that would favour low numbers",
  },
  {
    name: "nobody makes a salt without the raffle's key",
    file: "migrations/20261123000100_draw.sql",
    from: "extensions.hmac('salt ' || ticket_num, v_key, 'sha256') for 16)",
    to: "extensions.hmac('salt ' || ticket_num, 'known', 'sha256') for 16)",
    test: "test/functions/draw.test.ts",
    noticed: "publishes what anyone needs to draw again, and other programs come to the same",
  },
  {
    name: "the seed is of this raffle in SQL",
    file: "migrations/20261123000100_draw.sql",
    from: "|| uuid_send(p_raffle_id) || p_root || int8send",
    to: "|| p_root || int8send",
    test: "test/sql/draw.test.ts",
    noticed: "th number, as shared/draw.ts does",
  },
  {
    name: "each ticket wins the best tier it reaches, once",
    file: "migrations/20261123000350_lottery_draws.sql",
    from: "max(tiers.figures) as figures",
    to: "min(tiers.figures) as figures",
    test: "test/sql/lottery.test.ts",
    noticed: "pays the last figures from their share, each ticket once, and the rest to the house",
  },
  {
    name: "the winner of the whole number shares in no figures",
    file: "migrations/20261123000350_lottery_draws.sql",
    from: `left join tiers on t.ticket_num <> p_number
      and`,
    to: `left join tiers on true
      and`,
    test: "test/sql/lottery.test.ts",
    noticed: "pays the last figures from their share, each ticket once, and the rest to the house",
  },
  {
    name: "a result counts when two have said the same",
    file: "migrations/20261122000150_lotteries.sql",
    from: "  elsif v_entered > 1 then",
    to: "  elsif v_entered > 0 then",
    test: "test/sql/lottery.test.ts",
    noticed: "counts when two operators have entered the same, and not before",
  },
  {
    name: "a result that is entered differently waits",
    file: "migrations/20261122000150_lotteries.sql",
    from: "  if v_versions > 1 then",
    to: "  if false then",
    test: "test/sql/lottery.test.ts",
    noticed: "that is entered differently waits, tells the operators, and can be corrected",
  },
  {
    name: "a series that differs is another result",
    file: "migrations/20261122000150_lotteries.sql",
    from: "count(distinct (winning_number, coalesce(series, '')))",
    to: "count(distinct winning_number)",
    test: "test/sql/lottery.test.ts",
    noticed: "of a series that differs is another result",
  },
  {
    name: "a result is entered after the draw",
    file: "migrations/20261122000150_lotteries.sql",
    from: "  elsif v_moment is null or v_moment > clock_timestamp() then",
    to: "  elsif v_moment is null then",
    test: "test/sql/lottery.test.ts",
    noticed: "is only entered by operators, after the draw, in as many figures as it has",
  },
  {
    name: "a result is of a date on which the lottery draws",
    file: "migrations/20261122000150_lotteries.sql",
    from: "  elsif v_moment is null or v_moment > clock_timestamp() then",
    to: "  elsif v_moment > clock_timestamp() then",
    test: "test/sql/lottery.test.ts",
    noticed: "is only entered by operators, after the draw, in as many figures as it has",
  },
  {
    name: "a result has as many figures as the lottery",
    file: "migrations/20261122000150_lotteries.sql",
    from: "  elsif coalesce(p_winning_number, '') !~ ('^[0-9]{' || v_lottery.digits || '}$') then",
    to: "  elsif false then",
    test: "test/sql/lottery.test.ts",
    noticed: "is only entered by operators, after the draw, in as many figures as it has",
  },
  {
    name: "a result is entered by operators",
    file: "migrations/20261122000150_lotteries.sql",
    from: `  perform app.require_role('operator');
  return app.enter`,
    to: "  return app.enter",
    test: "test/sql/lottery.test.ts",
    noticed: "is only entered by operators, after the draw, in as many figures as it has",
  },
  {
    name: "nobody moves a draw that a raffle looks to",
    file: "migrations/20261122000150_lotteries.sql",
    from:
      `  elsif exists (select from public.raffles where lottery_id = p_lottery_id and lottery_draw_date = p_draw_date
      and state in ('OPEN', 'FULL', 'CLOSED'))
    or exists`,
    to: "  elsif exists",
    test: "test/sql/lottery.test.ts",
    noticed: "whose terms change",
  },
  {
    name: "nobody moves the next draw that a sealed raffle looks to",
    file: "migrations/20261122000150_lotteries.sql",
    from: `
    or exists (select from public.lottery_draws where lottery_id = p_lottery_id and draw_date = p_draw_date)`,
    to: "",
    test: "test/sql/lottery.test.ts",
    noticed: "whose number was unsold",
  },
  {
    name: "a lottery's calendar is set by admins",
    file: "migrations/20261122000150_lotteries.sql",
    from: `  perform app.require_role('admin');
  perform from public.lotteries`,
    to: "  perform from public.lotteries",
    test: "test/sql/lottery.test.ts",
    noticed: "the calendar has the days of the week, one draw more and one less",
  },
  {
    name: "a beacon is of the round that was asked for",
    file: "shared/drand.ts",
    from: `  if (beacon.round !== round) return { flaw: "other_round" };
`,
    to: "",
    test: "test/unit/drand.test.ts",
    noticed: "one of another round or another chain is not it",
  },
  {
    name: "a beacon's randomness is the hash of its signature",
    file: "shared/drand.ts",
    from:
      `  if (encodeHex(sha256(signature)) !== beacon.randomness) return { flaw: "randomness_wrong" };
`,
    to: "",
    test: "test/unit/drand.test.ts",
    noticed: "randomness that is not the signature's hash is refused",
  },
  {
    name: "a beacon is signed by the chain",
    file: "shared/drand.ts",
    from:
      `  if (!await verifySignature(chain, round, signature)) return { flaw: "signature_wrong" };
`,
    to: "",
    test: "test/unit/drand.test.ts",
    noticed: "one of another round or another chain is not it",
  },
  {
    name: "a beacon is checked with its chain's own key",
    file: "shared/drand.ts",
    from: "decodeHex(chain.publicKey)",
    to: "decodeHex(CHAINS[0].publicKey)",
    test: "test/unit/drand.test.ts",
    noticed: "quicknet's round 1000 is verified, and so is what the local beacon signs",
  },
  {
    name: "a signature is over its round",
    file: "shared/drand.ts",
    from: "setBigUint64(0, BigInt(round))",
    to: "setBigUint64(0, BigInt(round & 255))",
    test: "test/unit/drand.test.ts",
    noticed: "quicknet's round 1000 is verified, and so is what the local beacon signs",
  },
  {
    name: "what is no point of the group is no signature",
    file: "shared/drand.ts",
    from: "    return false; // Not a point",
    to: "    return true; // Not a point",
    test: "test/unit/drand.test.ts",
    noticed: "of the signature flipped it is refused, also with the randomness to match",
  },
  {
    name: "a signature has one length",
    file: "shared/drand.ts",
    from: "{96}$/",
    to: "+$/",
    test: "test/unit/drand.test.ts",
    noticed: "is malformed",
  },
  {
    name: "a randomness has one length",
    file: "shared/drand.ts",
    from: "randomness: z.string().regex(/^[0-9a-f]{64}$/)",
    to: "randomness: z.string().regex(/^[0-9a-f]{64}/)",
    test: "test/unit/drand.test.ts",
    noticed: "is malformed",
  },
  {
    name: "a round is a whole number",
    file: "shared/drand.ts",
    from: "z.int().positive()",
    to: "z.number()",
    test: "test/unit/drand.test.ts",
    noticed: "is malformed",
  },
  {
    name: "the local beacon is known to be foreseeable",
    file: "shared/drand.ts",
    from: "foreseeable: true",
    to: "foreseeable: false",
    test: "test/unit/drand.test.ts",
    noticed: "a chain is found by its hash, and only the local one is foreseeable",
  },
  {
    name: "quicknet's key is quicknet's",
    file: "shared/drand.ts",
    from: "83cf0f2896adee",
    to: "83cf0f2897adee",
    test: "test/unit/drand.test.ts",
    noticed: "is written down as its nodes tell it, and its hash is that of its key",
  },
  {
    name: "the first round is not before the genesis",
    file: "shared/drand.ts",
    from: "Math.max(1, Math.ceil",
    to: "Math.max(-9e9, Math.ceil",
    test: "test/unit/drand.test.ts",
    noticed: "before the genesis no round is out, and the first to come is round 1",
  },
  {
    name: "no relay is trusted",
    file: "shared/drand.ts",
    from: "  return await inspectBeacon(chain, round, parseJson(text));",
    to: "  return { beacon: parseJson(text) as Beacon };",
    test: "test/unit/drand-relays.test.ts",
    noticed: "is not believed:",
  },
  {
    name: "a relay does not send us elsewhere",
    file: "shared/drand.ts",
    from: ', redirect: "error"',
    to: ', redirect: "follow"',
    test: "test/unit/drand-relays.test.ts",
    noticed: "each relay is told from the others: a future round, another chain, no relay at all",
  },
  {
    name: "an answer longer than any beacon is not read",
    file: "shared/drand.ts",
    from: `    if (text.length > MAX_BYTES) return void await reader.cancel();
`,
    to: "",
    test: "test/unit/drand-relays.test.ts",
    noticed: "an answer longer than any beacon is not read, however good it would be",
  },
  {
    name: "a slow relay is given up",
    file: "shared/drand.ts",
    from: "AbortSignal.any([won, late])",
    to: "AbortSignal.any([won])",
    test: "test/unit/drand-relays.test.ts",
    noticed: "a slow relay is given up, whether it never begins or never ends",
  },
  {
    name: "one bad relay keeps nobody from the good one",
    file: "shared/drand.ts",
    from: "    Promise.all(answers).then(",
    to: "    Promise.race(answers).then(",
    test: "test/unit/drand-relays.test.ts",
    noticed: "one good relay among all those wins, wherever it stands in the list",
  },
  {
    name: "a uuid is a uuid",
    file: "shared/draw.ts",
    from:
      `  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) throw new RangeError("not a uuid");
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "is not a uuid",
  },
  {
    name: "a ticket's number is a whole one",
    file: "shared/draw.ts",
    from: `  requireWithin("a u32", value, 0, 2 ** 32 - 1);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "is no ticket number",
  },
  {
    name: "a round is within what can be hashed",
    file: "shared/draw.ts",
    from: `  requireWithin("a u64", value, 0, Number.MAX_SAFE_INTEGER);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "is no round",
  },
  {
    name: "a salt has its length",
    file: "shared/draw.ts",
    from: `  requireLength("the salt", salt, SALT_BYTES);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "a part of another length is refused: it would be hashed as somebody else's bytes",
  },
  {
    name: "a seed has its length",
    file: "shared/draw.ts",
    from: `  requireLength("the seed", seed, HASH_BYTES);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "a part of another length is refused: it would be hashed as somebody else's bytes",
  },
  {
    name: "a root has its length",
    file: "shared/draw.ts",
    from: `  requireLength("the root", ticketRoot, HASH_BYTES);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "a part of another length is refused: it would be hashed as somebody else's bytes",
  },
  {
    name: "a holder has its length",
    file: "shared/draw.ts",
    from: `  requireLength("the holder", holder, HASH_BYTES);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "a part of another length is refused: it would be hashed as somebody else's bytes",
  },
  {
    name: "words that would favour low numbers are passed over",
    file: "shared/draw.ts",
    from: `  while (word >= limit) word = words.next();
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: ", each result has as many",
  },
  {
    name: "no number is drawn from none",
    file: "shared/draw.ts",
    from:
      `  if (m < 1n || m > words.modulus) throw new RangeError(\`no uniform number below \${m}\`);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "below nothing there is no number, nor above all words",
  },
  {
    name: "no ticket is drawn twice",
    file: "shared/draw.ts",
    from: "moved.set(chosen, moved.get(place) ?? place)",
    to: "moved.set(chosen, chosen)",
    test: "test/unit/draw.test.ts",
    noticed: "tickets, numbered in steps of",
  },
  {
    name: "every ticket is as likely",
    file: "shared/draw.ts",
    from: "BigInt(count - place)))",
    to: "BigInt(Math.max(1, count - place - 1))))",
    test: "test/unit/draw.test.ts",
    noticed: "tickets, numbered in steps of",
  },
  {
    name: "the round is part of the seed",
    file: "shared/draw.ts",
    from: "ticketRoot, u64(round), randomness)",
    to: "ticketRoot, randomness)",
    test: "test/unit/draw.test.ts",
    noticed: "tickets, numbered in steps of",
  },
  {
    name: "a leaf is no inner node",
    file: "shared/draw.ts",
    from: "const NODE = Uint8Array.of(1)",
    to: "const NODE = Uint8Array.of(0)",
    test: "test/unit/ticket-tree.test.ts",
    noticed: "Certificate Transparency's vectors come out, asked after each leaf",
  },
  {
    name: "a proof has the length of its place",
    file: "shared/draw.ts",
    from: `  if (path.length !== siblings.length) return false;
`,
    to: "",
    test: "test/unit/ticket-tree.test.ts",
    noticed: "every leaf of every tree up to 70 leaves is proved, and at no other position",
  },
  {
    name: "a proof is made of hashes",
    file: "shared/draw.ts",
    from: `  if ([leaf, root, ...path].some(({ length }) => length !== HASH_BYTES)) return false;
`,
    to: "",
    test: "test/unit/ticket-tree.test.ts",
    noticed: "a path that is too long or too short, or of hashes that are none, proves nothing",
  },
  {
    name: "a proof is of the whole root",
    file: "shared/draw.ts",
    from: "computed.every((byte, i) => byte === root[i])",
    to: "computed.subarray(0, 31).every((byte, i) => byte === root[i])",
    test: "test/unit/ticket-tree.test.ts",
    noticed: "any bit flipped, of leaf, path or root, and nothing is proved",
  },
  {
    name: "a proof is of a place within the tree",
    file: "shared/draw.ts",
    from:
      `  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 0 || index >= count) {
    return false;
  }
`,
    to: "",
    test: "test/unit/ticket-tree.test.ts",
    noticed: "every leaf of every tree up to 70 leaves is proved, and at no other position",
  },
  {
    name: "a path is not given before all leaves are in",
    file: "shared/draw.ts",
    from: `    if (this.#added !== this.#count) {
      throw new RangeError(\`\${this.#added} leaves were added, not \${this.#count}\`);
    }
`,
    to: "",
    test: "test/unit/ticket-tree.test.ts",
    noticed: "a proof is not given before all leaves are in, nor for a leaf that is none",
  },
  {
    name: "a leaf has its length",
    file: "shared/draw.ts",
    from: `    requireLength("a leaf", leaf, HASH_BYTES);
`,
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "a part of another length is refused: it would be hashed as somebody else's bytes",
  },
  {
    name: "the same bytes are always the same text",
    file: "shared/hex.ts",
    from: "text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)",
    to: "text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)",
    test: "test/unit/draw.test.ts",
    noticed: "is not hexadecimal",
  },
  {
    name: "half a byte is none",
    file: "shared/hex.ts",
    from: "text.length % 2 !== 0 || ",
    to: "",
    test: "test/unit/draw.test.ts",
    noticed: "is not hexadecimal",
  },
  {
    name: "the verifier counts the tickets",
    file: "test/verifier/verify.py",
    from: 'if len(nums) != proof["ticket_count"]:',
    to: "if False:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "verify.py (needs python3)",
  },
  {
    name: "the verifier sees a number twice",
    file: "test/verifier/verify.py",
    from: "if any(a >= b for a, b in zip(nums, nums[1:])):",
    to: "if False:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "verify.py (needs python3)",
  },
  {
    name: "the verifier makes the root anew",
    file: "test/verifier/verify.py",
    from: 'if root != read_bytes(proof["ticket_root"], 32, "ticket_root"):',
    to: "if False:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "before the round is out, the sealed tickets can be checked already",
  },
  {
    name: "the verifier knows the round",
    file: "test/verifier/verify.py",
    from: 'if beacon["round"] != first:',
    to: "if False:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "the round is the first one 60 s after the sealing: sealed",
  },
  {
    name: "the verifier knows the randomness",
    file: "test/verifier/verify.py",
    from: "if sha256(signature).digest() != randomness:",
    to: "if False:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "verify.py (needs python3)",
  },
  {
    name: "the verifier draws again",
    file: "test/verifier/verify.py",
    from: 'if [winner["ticket_num"] for winner in winners] != drawn:',
    to: "if False:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "verify.py (needs python3)",
  },
  {
    name: "the verifier passes over unfair words",
    file: "test/verifier/verify.py",
    from: "if w < fair:",
    to: "if True:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "it passes over the same words as TypeScript, at the edge of 64 bits",
  },
  {
    name: "the verifier knows the beacon that proves nothing",
    file: "test/verifier/verify.py",
    from: 'if beacon["chain_hash"] != QUICKNET:',
    to: "if False:",
    test: "test/unit/draw-verifier.test.ts",
    noticed: "a draw by the development beacon says that it proves nothing",
  },
];
