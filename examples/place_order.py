"""A client in one page: sign an order, hand it in, and see what became of it.

It uses nothing of Merit's own, only libraries that any integrator has: httpx2 for HTTP and eth-account for signatures.
Energy is in Wh, the limit in millionths of the currency per kWh (250000 is 0.25 EUR/kWh); a bid's limit covers the fee.

    python examples/place_order.py --url http://127.0.0.1:8080 --key-file merit-data/keys/home-02.key \
        --side bid --energy-wh 500 --limit 305000
"""

import argparse
import json
import secrets
import sys
from pathlib import Path

import httpx2
from eth_account import Account
from eth_account.messages import encode_defunct


def main() -> int:
    """Place one order; the exit code says whether the exchange took it."""
    parser = argparse.ArgumentParser(description="Place one signed order.")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--key-file", type=Path, required=True, help="the private key: 0x and 64 hex digits")
    parser.add_argument("--asset", help="the asset's address; without it, the account's first")
    parser.add_argument("--side", choices=("bid", "offer"), default="bid")
    parser.add_argument("--energy-wh", type=int, default=500)
    parser.add_argument("--limit", type=int, default=305_000, help="millionths of the currency per kWh")
    options = parser.parse_args()
    key = options.key_file.read_text().strip()

    with httpx2.Client(base_url=options.url, timeout=10) as http:
        meta = http.get("/v1/meta").raise_for_status().json()
        holder = Account.from_key(key).address
        # What an account holds is its holder's business: sign in, as a wallet would (EIP-4361).
        challenge = http.post("/v1/sign-in/challenge", json={"address": holder}).raise_for_status().json()
        place = http.base_url.netloc.decode()
        assert challenge["message"].startswith(f"{place} wants you to sign in"), "never sign in elsewhere unasked"
        signed = Account.sign_message(encode_defunct(text=challenge["message"]), key)
        signed_in = {"message": challenge["message"], "signature": "0x" + bytes(signed.signature).hex()}
        session = http.post("/v1/sign-in", json=signed_in).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {session['token']}"

        account = http.get("/v1/accounts", params={"holder": holder}).raise_for_status().json()["accounts"][0]
        market = meta["parameters"]["markets"][0]
        delivery_start = meta["open_deliveries"][0]
        order = {
            "asset": (options.asset or account["assets"][0]["asset"]).lower(),
            "market": market["number"],
            "product": market["product"],
            "side": options.side,
            "delivery_start": delivery_start,
            "energy_wh": options.energy_wh,
            "limit_micro_per_kwh": options.limit,
            "preferences": "0x" + "00" * 32,
            "valid_until": delivery_start,
            "salt": account["epoch"] << 32 | secrets.randbits(32),
        }
        # The exchange gives the typed data (EIP-712) that a wallet would show; signing it is all there is to do.
        payload = http.post("/v1/orders/typed-data", json=order).raise_for_status().json()["typed_data"]
        assert payload["message"]["energyWh"] == options.energy_wh, "never sign what you did not ask for"
        signed = Account.sign_typed_data(key, full_message=payload)

        answer = http.post("/v1/orders", json=order | {"signature": "0x" + signed.signature.hex().removeprefix("0x")})
        print(json.dumps(answer.json(), indent=2))
        if answer.is_error:
            return 1
        trail = http.get(f"/v1/orders/{answer.json()['digest']}").raise_for_status().json()["trail"]
        print(f"account {account['account']}: " + ", ".join(step["step"] for step in trail), file=sys.stderr)
        return 0


if __name__ == "__main__":
    sys.exit(main())
