"""What subject and issuer sign: equal to Energy Web's contract and to eth-account."""

from pathlib import Path

import pytest
from eth_account.messages import defunct_hash_message, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.claims import (
    AGREEMENT_TYPE,
    AGREEMENT_WITH_DATA_TYPE,
    PROOF_TYPE,
    PROOF_WITH_DATA_TYPE,
    REVOCATION_TYPE,
    Agreement,
    AgreementWithData,
    Proof,
    ProofWithData,
    Revocation,
    claim_domain,
    personal,
    to_sign,
)
from identity.hashing import keccak
from identity.names import namehash
from identity.typed_data import digest
from tests.strategies import addresses, digests

DOMAIN = claim_domain(31_337, b"\x11" * 20)
numbers = st.integers(0, (1 << 256) - 1)

KINDS = {
    Agreement: (AGREEMENT_TYPE, st.tuples(addresses, digests, numbers)),
    Proof: (PROOF_TYPE, st.tuples(addresses, digests, numbers, numbers, addresses)),
    AgreementWithData: (AGREEMENT_WITH_DATA_TYPE, st.tuples(addresses, digests, numbers, digests, numbers)),
    ProofWithData: (PROOF_WITH_DATA_TYPE, st.tuples(addresses, digests, numbers, numbers, addresses, digests, numbers)),
    Revocation: (REVOCATION_TYPE, st.tuples(digests, addresses, addresses, numbers, numbers)),
}


@pytest.mark.parametrize(
    ("text", "published"),
    [
        (AGREEMENT_TYPE, "b16118fb93c5cd278fa80c5c3a11023e3f2b6b6ba1e8a1b0a9ac23a821df30f1"),
        (PROOF_TYPE, "58155adb8e63b2801cf4976c036d0ed06b96f1a2cbb86b5d7a93ba394e8a5d10"),
    ],
)
def test_the_types_are_energy_webs(text, published):
    assert keccak(text.encode()).hex() == published


def test_the_types_are_the_contracts():
    source = (Path(__file__).parents[2] / "contracts" / "claims.vy").read_text()
    missing = [
        text
        for text, _ in KINDS.values()
        if f'keccak256("{text}")' not in source.replace("(\n    ", "(").replace("\n)", ")")
    ]
    assert not missing


def test_the_digest_is_the_one_that_energy_webs_contract_computes():
    role = namehash("balancingprovider.roles.gsy.iam.ewc")
    proof = Proof(b"\x22" * 20, role, 1, 2_000_000_000, b"\x33" * 20)
    plain = digest(DOMAIN.separator(), proof.struct_hash())
    assert plain.hex() == "12e1f3d3093667a99132da2cbe2501c8826827578fffddb2f8e5a197b76a9177"
    assert to_sign(proof, DOMAIN) == personal(plain) != plain


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_message_is_hashed_as_eth_account_does_and_wrapped_as_a_personal_one(kind):
    text, values = KINDS[kind]
    primary, members = text.removesuffix(")").split("(")
    fields = [dict(zip(("type", "name"), member.split(), strict=True)) for member in members.split(",")]

    @settings(max_examples=10)
    @given(values)
    def check(given_values):
        message = {field["name"]: value for field, value in zip(fields, given_values, strict=True)}
        signable = encode_typed_data(
            domain_data={
                "name": "Claim Manager",
                "version": "1.0",
                "chainId": DOMAIN.chain_id,
                "verifyingContract": DOMAIN.contract,
            },
            message_types={primary: fields},
            message_data=message,
        )
        plain = keccak(b"\x19\x01" + signable.header + signable.body)
        assert to_sign(kind(*given_values), DOMAIN) == bytes(defunct_hash_message(plain))

    check()


def test_a_claim_with_data_is_not_the_claim_without():
    plain = Agreement(b"\x22" * 20, bytes(32), 1)
    ours = AgreementWithData(b"\x22" * 20, bytes(32), 1, bytes(32), 0)
    assert to_sign(plain, DOMAIN) != to_sign(ours, DOMAIN)
