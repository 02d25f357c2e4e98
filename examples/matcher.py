"""A matcher in one page: read the book of a closed session without names, propose a clearing, see what is said of it.

It uses nothing of Merit's own, only libraries that any integrator has: httpx2 for HTTP and eth-account for signatures.
It matches the dearest bids with the cheapest offers over the whole tree, wherever they hang, within the limits of
nodes: what our own clearing does not, where it goes local first. Rates are in millionths of the currency per kWh.

    python examples/matcher.py --url http://127.0.0.1:8080 --key-file matcher.key --session 1-spot-1782000000
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils import keccak

Book = dict[str, Any]


def way_up(nodes: dict[int, Any], number: int) -> list[int]:
    """Return the nodes from one to the root."""
    way = [number]
    while nodes[way[-1]]["parent"] is not None:
        way.append(nodes[way[-1]]["parent"])
    return way


def propose(book: Book) -> Iterator[dict[str, Any]]:
    """Yield the records of a greedy matching over the whole tree, for constant fees and pay-as-bid.

    By pay-as-bid the seller gets the bid's limit less the fees of every node on the way, each once.
    """
    nodes = {node["node"]: node for node in book["nodes"]}
    offers = sorted((row for row in book["rows"] if row["side"] == "offer"), key=lambda row: row["limit_micro_per_kwh"])
    bids = sorted((row for row in book["rows"] if row["side"] == "bid"), key=lambda row: -row["limit_micro_per_kwh"])
    left = {row["id"]: row["energy_wh"] for row in book["rows"]}
    room = {(number, way): node[f"{way}_limit_wh"] for number, node in nodes.items() for way in ("import", "export")}
    for bid in bids:
        for offer in offers:
            up, down = way_up(nodes, offer["node"]), way_up(nodes, bid["node"])
            top = next(number for number in up if number in down)
            out, into = up[: up.index(top)], down[: down.index(top)]
            fees = sum(nodes[number]["fee_micro_per_kwh"] for number in (*out, *into, top))
            rate = bid["limit_micro_per_kwh"] - fees
            crossed = [(number, "export") for number in out] + [(number, "import") for number in into]
            bounds = [room[place] for place in crossed if room[place] is not None]
            energy = min([left[bid["id"]], left[offer["id"]], *bounds])
            if energy > 0 and rate >= offer["limit_micro_per_kwh"]:
                yield {"bid": bid["id"], "offer": offer["id"], "energy_wh": energy, "rate_micro_per_kwh": rate}
                for row in (bid, offer):
                    left[row["id"]] -= energy
                for place in crossed:
                    if room[place] is not None:
                        room[place] -= energy


def typed_data(domain: dict[str, Any], session: int, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a matcher signs (EIP-712): the session and the hash of the records, four words each."""
    words = b"".join(
        bytes.fromhex(record["bid"][2:])
        + bytes.fromhex(record["offer"][2:])
        + record["energy_wh"].to_bytes(32, "big")
        + record["rate_micro_per_kwh"].to_bytes(32, "big", signed=True)
        for record in records
    )
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Proposal": [{"name": "session", "type": "uint256"}, {"name": "records", "type": "bytes32"}],
        },
        "primaryType": "Proposal",
        "domain": domain,
        "message": {"session": session, "records": keccak(words)},
    }


def match(http: Any, key: str, session: str) -> dict[str, Any] | None:
    """Read the book of a session, propose a clearing, and return the answer; none where there is nothing to match."""
    book = http.get(f"/v1/sessions/{session}/anonymous-book").raise_for_status().json()
    records = list(propose(book))
    if not records:
        return None
    domain = http.get("/v1/meta").raise_for_status().json()["domain"]
    signable = encode_typed_data(full_message=typed_data(domain, book["session"], records))
    signature = "0x" + bytes(Account.sign_message(signable, key).signature).hex()
    posted = {"session": book["session"], "records": records, "signature": signature}
    answer: dict[str, Any] = http.post(f"/v1/sessions/{session}/proposals", json=posted).raise_for_status().json()
    return answer


def main() -> int:
    """Match one session; the exit code says whether every record was valid."""
    parser = argparse.ArgumentParser(description="Propose a clearing of one closed session.")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key-file", type=Path, required=True, help="the matcher's private key: 0x and 64 hex digits")
    parser.add_argument("--session", required=True, help="the session's number or name")
    options = parser.parse_args()
    key = options.key_file.read_text().strip()
    with httpx2.Client(base_url=options.url, timeout=10) as http:
        matcher = Account.from_key(key).address
        challenge = http.post("/v1/sign-in/challenge", json={"address": matcher}).raise_for_status().json()
        place = http.base_url.netloc.decode()
        assert challenge["message"].startswith(f"{place} wants you to sign in"), "never sign in elsewhere unasked"
        signed = Account.sign_message(encode_defunct(text=challenge["message"]), key)
        signed_in = {"message": challenge["message"], "signature": "0x" + bytes(signed.signature).hex()}
        token = http.post("/v1/sign-in", json=signed_in).raise_for_status().json()["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        answer = match(http, key, options.session)
    print(json.dumps(answer, indent=2))
    return 0 if answer is not None and all(record["valid"] for record in answer["records"]) else 1


if __name__ == "__main__":
    sys.exit(main())
