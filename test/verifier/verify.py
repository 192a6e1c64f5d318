#!/usr/bin/env python3
"""Recomputes a Rafflebase draw (rafflebase-draw-v1) from its published proof.

  verify.py https://.../functions/v1/verify-draw/<raffle id>
  verify.py proof.json        (the same answer with all tickets, or its ndjson form)
  verify.py -                 (the proof from standard input)

Needs Python 3.8 and nothing else, and shares no code with the program that drew. Exit code: 0 when
all that was checked holds, 1 when something does not or there was nothing to check.

  verify.py --batch           (for tests: one case a line in, one result a line out)
"""

import json
import re
import sys
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from itertools import count
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import UUID

ALGORITHM = "rafflebase-draw-v1"
NOTICE_SECONDS = 60
PAGE = 10_000

# name, period in seconds, genesis in unix seconds
CHAINS = {
    "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971": ("drand quicknet", 3, 1692803367),
    "5499b42b8900d4986ad0a58a96a9987ec486ce1aa686c47bad3cafbb4da34c19": ("the local development beacon", 3, 1700000000),
}
QUICKNET = next(iter(CHAINS))


class Broken(Exception):
    """Something in the proof does not hold."""


# -- The protocol ------------------------------------------------------------------------------------


def leaf_hash(raffle_id, ticket_num, holder):
    return sha256(b"\x00" + raffle_id + ticket_num.to_bytes(4, "big") + holder).digest()


def tree_root(leaves):
    """MTH of RFC 6962, section 2.1, over leaves that are hashes already."""

    def subtree(start, end):
        size = end - start
        if size == 1:
            return leaves[start]
        split = start + (1 << (size - 1).bit_length() - 1)
        return sha256(b"\x01" + subtree(start, split) + subtree(split, end)).digest()

    return subtree(0, len(leaves)) if leaves else sha256(b"").digest()


def draw_seed(raffle_id, root, beacon_round, randomness):
    return sha256(ALGORITHM.encode() + raffle_id + root + beacon_round.to_bytes(8, "big") + randomness).digest()


def word_stream(seed):
    for c in count():
        block = sha256(seed + c.to_bytes(4, "big")).digest()
        for i in range(0, 32, 8):
            yield int.from_bytes(block[i : i + 8], "big")


def uniform(words, m):
    fair = (2**64 // m) * m
    while True:
        w = next(words)
        if w < fair:
            return w % m


def ranking(seed, ticket_nums, places):
    """The ticket numbers of the first places: a Fisher-Yates shuffle, stopped when it has enough."""
    order, words, n = list(ticket_nums), word_stream(seed), len(ticket_nums)
    for k in range(min(places, n)):
        j = k + uniform(words, n - k)
        order[k], order[j] = order[j], order[k]
    return order[:places]


# -- Reading a proof ---------------------------------------------------------------------------------


def read_bytes(text, length, name):
    if not re.fullmatch(f"[0-9a-fA-F]{{{2 * length}}}", text):
        raise Broken(f"{name} is not {length} bytes of hexadecimal")
    return bytes.fromhex(text)


def read_time(text):
    """Unix microseconds of an ISO 8601 time, whatever the length of its fraction."""
    base, fraction, zone = re.fullmatch(r"([^.]+?)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)", text).groups()
    moment = datetime.fromisoformat(base + zone.replace("Z", "+00:00"))
    seconds = (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(seconds=1)
    return seconds * 10**6 + int((fraction or "0").ljust(6, "0"))


def parse_proof(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        head, *tickets = (json.loads(line) for line in text.splitlines() if line.strip())
        return {**head, "tickets": tickets}


def fetch_proof(url):
    """All pages of a proof: the first one's facts, and every page's tickets."""
    proof, tickets = None, []
    while proof is None or len(tickets) < proof["ticket_count"]:
        query = urlencode({"skip": len(tickets), "limit": PAGE})
        with urlopen(f"{url.split('?')[0]}?{query}", timeout=60) as answer:
            page = json.load(answer)
        proof = proof or page
        if not page["tickets"]:
            break
        tickets += page["tickets"]
    asked = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", url.split("?")[0].lower())
    if asked and asked.group() != proof["raffle_id"]:
        raise Broken(f"{asked.group()} was asked for, and this is the proof of {proof['raffle_id']}")
    return {**proof, "tickets": tickets}


def read_proof(source):
    if source.startswith(("http://", "https://")):
        return fetch_proof(source)
    if source == "-":
        return parse_proof(sys.stdin.read())
    with open(source, encoding="utf-8") as file:
        return parse_proof(file.read())


# -- Checking ----------------------------------------------------------------------------------------


def check_tickets(proof, raffle_id):
    nums = [ticket["ticket_num"] for ticket in proof["tickets"]]
    if len(nums) != proof["ticket_count"]:
        raise Broken(f"the proof has {len(nums)} tickets but says {proof['ticket_count']} were sealed")
    if any(a >= b for a, b in zip(nums, nums[1:])):
        raise Broken("the tickets are not in ascending order, each number once")
    holders = (read_bytes(ticket["holder"], 32, "a holder") for ticket in proof["tickets"])
    root = tree_root([leaf_hash(raffle_id, num, holder) for num, holder in zip(nums, holders)])
    if root != read_bytes(proof["ticket_root"], 32, "ticket_root"):
        raise Broken(f"the {len(nums)} tickets have the root {root.hex()}, not the one that was sealed")
    yield f"ok    the {len(nums)} tickets are the ones sealed under the root {root.hex()}"


def check_round(proof):
    beacon = proof["beacon"]
    if beacon["chain_hash"] not in CHAINS:
        raise Broken(f"the chain {beacon['chain_hash']} is not one that is known here")
    name, period, genesis = CHAINS[beacon["chain_hash"]]
    earliest = read_time(proof["sealed_at"]) + NOTICE_SECONDS * 10**6
    first = max(1, 1 - (genesis * 10**6 - earliest) // (period * 10**6))
    if beacon["round"] != first:
        raise Broken(f"sealed at {proof['sealed_at']}, the draw must use round {first}, not {beacon['round']}")
    yield f"ok    round {first} of {name} is the first one at least {NOTICE_SECONDS} s after the sealing"
    if beacon["chain_hash"] != QUICKNET:
        yield "note  anybody can compute that beacon ahead of its time: this draw proves nothing to anyone"


def check_randomness(beacon):
    signature = read_bytes(beacon["signature"], 48, "the signature")
    randomness = read_bytes(beacon["randomness"], 32, "the randomness")
    if sha256(signature).digest() != randomness:
        raise Broken("the randomness is not the hash of the signature")
    yield "ok    the randomness is the hash of the signature"
    yield "note  NOT checked: that drand's network made the signature (BLS). Compare the signature with"
    yield f"note  https://api.drand.sh/{beacon['chain_hash']}/public/{beacon['round']}"


def check_winners(proof, raffle_id):
    beacon, winners = proof["beacon"], proof["winners"]
    nums = [ticket["ticket_num"] for ticket in proof["tickets"]]
    if [winner["place"] for winner in winners] != list(range(1, len(winners) + 1)):
        raise Broken("the winners' places are not 1, 2, 3 and so on")
    if len(winners) < min(proof.get("winners_count", 1), len(nums)):
        raise Broken("the randomness is out, but not every winner is named")
    root, randomness = bytes.fromhex(proof["ticket_root"]), bytes.fromhex(beacon["randomness"])
    seed = draw_seed(raffle_id, root, beacon["round"], randomness)
    drawn = ranking(seed, nums, len(winners))
    if [winner["ticket_num"] for winner in winners] != drawn:
        raise Broken(f"the draw gives the tickets {drawn}, in this order, not the published winners")
    yield f"ok    the seed {seed.hex()} follows from the raffle, the tickets and the beacon"
    for place, num in enumerate(drawn, 1):
        yield f"ok    place {place} is ticket {num}"


def check(proof):
    if proof["algorithm"] != ALGORITHM:
        raise Broken(f"this program knows {ALGORITHM}, not {proof['algorithm']}")
    raffle_id = UUID(proof["raffle_id"]).bytes
    yield f"raffle {proof['raffle_id']}"
    yield from check_tickets(proof, raffle_id)
    if proof.get("state") == "CANCELLED":
        yield "note  it was cancelled before it was drawn: there is no draw to check"
        return
    if proof["beacon"] is None:
        yield "note  an official lottery decides this raffle: compare its winner with the published number"
        return
    yield from check_round(proof)
    if proof["beacon"].get("randomness") is None:
        if proof["winners"]:
            raise Broken("winners are named before the randomness is out")
        yield "note  the round is not out: there is no draw to check yet"
        return
    yield from check_randomness(proof["beacon"])
    yield from check_winners(proof, raffle_id)


# -- For tests ---------------------------------------------------------------------------------------


def made_tickets(label, amount, step):
    """Tickets by a fixed rule, so that a case of many tickets is one short line."""
    for num in range(1, 1 + amount * step, step):
        digest = sha256(f"{label}/{num}".encode()).digest()
        salt, user_id = digest[:16], digest[16:]
        yield num, sha256(salt + user_id).digest()


def solve(case):
    if "words" in case:  # No draw comes upon a word that must be passed over: they are one in 10^12 or fewer.
        return uniform(iter(case["words"]), case["below"])
    tickets = list(made_tickets(case["label"], case["count"], case["step"]))
    raffle_id = UUID(case["raffle_id"]).bytes
    root = tree_root([leaf_hash(raffle_id, num, holder) for num, holder in tickets])
    seed = draw_seed(raffle_id, root, case["round"], bytes.fromhex(case["randomness"]))
    drawn = ranking(seed, [num for num, _ in tickets], case["places"])
    return {"ticket_root": root.hex(), "seed": seed.hex(), "drawn": drawn}


# -- The program -------------------------------------------------------------------------------------


def main(arguments):
    if arguments == ["--batch"]:
        for line in sys.stdin:
            print(json.dumps(solve(json.loads(line))), flush=True)
        return 0
    if len(arguments) != 1 or arguments[0].startswith("--"):
        print(__doc__, file=sys.stderr)
        return 1
    try:
        for sentence in check(read_proof(arguments[0])):
            print(sentence)
    except Broken as broken:
        print(f"WRONG {broken}")
    except OSError as error:
        print(f"Nothing was checked: {error}")
        return 2
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        print(f"WRONG this is no proof that can be read: {error!r}")
    else:
        print("All that was checked holds.")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
