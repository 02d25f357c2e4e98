"""A receipt is the exchange's signed word, under the same domain as the orders."""

from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from exchange.receipt import RECEIPT_TYPE, receipt_digest
from identity.address import to_text
from identity.signature import address_of
from tests.actors import OPERATOR
from tests.strategies import digests, domains

FIELDS = [
    {"name": field.split(" ")[1], "type": field.split(" ")[0]}
    for field in RECEIPT_TYPE[len("Receipt(") : -1].split(",")
]


@given(digests, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 40) - 1), domains)
def test_a_receipt_is_signed_as_any_wallet_would_sign_it(order, sequence, received_at, domain):
    message = encode_typed_data(
        {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": to_text(domain.contract),
        },
        {"Receipt": FIELDS},
        {"order": order, "sequence": sequence, "receivedAt": received_at},
    )
    signed = Account.sign_message(message, OPERATOR.key)
    assert bytes(signed.message_hash) == receipt_digest(order, sequence, received_at, domain.separator())
    assert Account.recover_message(message, signature=signed.signature) == to_text(address_of(OPERATOR.key))


@given(digests, st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_no_two_receipts_have_the_same_digest(order, sequence, received_at):
    separator = bytes(32)
    base = receipt_digest(order, sequence, received_at, separator)
    others = {
        receipt_digest(order, sequence + 1, received_at, separator),
        receipt_digest(order, sequence, received_at + 1, separator),
        receipt_digest(
            bytes(31) + b"\1" if order != bytes(31) + b"\1" else bytes(32), sequence, received_at, separator
        ),
        receipt_digest(order, sequence, received_at, b"\1" * 32),
    }
    assert len(others) == 4
    assert base not in others
