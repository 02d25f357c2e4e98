import json

import pytest

from identity.address import to_text
from identity.base58 import base58
from identity.did import to_did
from identity.document import Change
from identity.facts import AttributeChanged, DelegateChanged, OwnerChanged
from identity.meta_transactions import name_of
from identity.purposes import TRADE, delegate_type
from identity.resolution import CONTEXT, LD_JSON, PLAIN_JSON, Registry, resolve
from identity.signature import Signer

CHAIN = 31_337
HOUSE, METER, AGENT, BUYER = (bytes([n]) * 20 for n in (0x70, 0x3C, 0x90, 0x15))
DID = to_did(CHAIN, HOUSE)
NOBODY = bytes(20)
FOREVER = 2**255

NOW = 1_800_000_000
"""Every history begins a day before; blocks are a second apart."""


def at(block):
    return NOW - 86_400 + block


def delegate(block, kind, who, valid_to=FOREVER):
    return Change(block, DelegateChanged(HOUSE, name_of(kind), who, valid_to, at(block)))


def attribute(block, name, value, valid_to=FOREVER):
    return Change(block, AttributeChanged(HOUSE, name_of(name), value, valid_to, at(block)))


def owner(block, who):
    return Change(block, OwnerChanged(HOUSE, who, at(block)))


def asked(changes, did=DID, *, now=NOW, head=100, **options):
    registry = Registry(
        chain_id=CHAIN,
        changes=lambda identity: changes if identity == HOUSE else (),
        block_time=lambda number: at(number) if number <= head else None,
        networks={"street": CHAIN},
    )
    return resolve(did, registry, now=now, **options)


def document(*changes, **options):
    return asked(changes, **options).document


def ids(document, relation="verificationMethod"):
    found = [each if isinstance(each, str) else each["id"] for each in document.get(relation, [])]
    return [each.removeprefix(f"{document['id']}#") for each in found]


def test_an_identity_nobody_wrote_about_has_one_controller():
    answer = asked([])
    assert answer.to_document() == {
        "didResolutionMetadata": {"contentType": LD_JSON},
        "didDocumentMetadata": {},
        "didDocument": {
            "@context": list(CONTEXT),
            "id": DID,
            "verificationMethod": [
                {
                    "id": f"{DID}#controller",
                    "type": "EcdsaSecp256k1RecoveryMethod2020",
                    "controller": DID,
                    "blockchainAccountId": f"eip155:{CHAIN}:{to_text(HOUSE)}",
                }
            ],
            "authentication": [f"{DID}#controller"],
            "assertionMethod": [f"{DID}#controller"],
        },
    }
    assert json.loads(answer.to_json()) == answer.to_document()


def test_the_document_of_the_specification():
    key = bytes(range(32))
    inbox = b'{"uri":"https://gw.example/inbox","accept":["didcomm/v2"]}'
    found = document(
        delegate(2, "veriKey", METER),
        delegate(3, "sigAuth", AGENT),
        delegate(4, "sigAuth", AGENT, at(4)),
        attribute(5, "did/svc/GridMessaging", inbox),
        attribute(6, "did/pub/Ed25519/veriKey/base64", key),
    )
    assert ids(found) == ["controller", "delegate-1", "delegate-4"], "a revoked delegate uses up its number"
    assert found["verificationMethod"][2] == {
        "id": f"{DID}#delegate-4",
        "type": "Ed25519VerificationKey2018",
        "controller": DID,
        "publicKeyBase64": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }
    assert (ids(found, "authentication"), ids(found, "assertionMethod")) == (
        ["controller"],
        ["controller", "delegate-1", "delegate-4"],
    )
    assert found["service"] == [
        {"id": f"{DID}#service-1", "type": "GridMessaging", "serviceEndpoint": json.loads(inbox)}
    ]


def test_delegates_of_trade_are_no_part_of_the_document_nor_a_version_of_it():
    trade = Change(7, DelegateChanged(HOUSE, delegate_type(TRADE, 1), AGENT, FOREVER, at(7)))
    answer = asked([delegate(5, "veriKey", METER), trade, delegate(9, "veriKey", BUYER)])
    assert ids(answer.document) == ["controller", "delegate-1", "delegate-2"]
    assert asked([trade]).metadata == {}


def test_delegates_of_other_kinds_are_counted_and_not_shown():
    assert ids(document(delegate(1, "raveller", AGENT), delegate(2, "veriKey", METER))) == ["controller", "delegate-2"]
    assert ids(document(delegate(1, "", AGENT), delegate(2, "veriKey", METER))) == ["controller", "delegate-2"]


def test_a_signing_delegate_may_also_log_in():
    found = document(delegate(1, "sigAuth", AGENT))
    assert ids(found, "authentication") == ids(found, "assertionMethod") == ["controller", "delegate-1"]


def test_an_entry_is_listed_in_the_second_in_which_it_ends_and_not_after():
    change = delegate(1, "veriKey", METER, NOW)
    assert ids(document(change, now=NOW)) == ["controller", "delegate-1"]
    assert ids(document(change, now=NOW + 1)) == ["controller"]


def test_an_entry_made_again_keeps_its_place_and_gets_a_new_number():
    again = [delegate(1, "veriKey", METER), delegate(2, "veriKey", AGENT), delegate(3, "veriKey", METER)]
    assert ids(document(*again)) == ["controller", "delegate-3", "delegate-2"]
    gone = [delegate(1, "veriKey", METER), delegate(2, "veriKey", METER, at(2)), delegate(3, "veriKey", METER)]
    assert ids(document(*gone)) == ["controller", "delegate-3"]


@pytest.mark.parametrize(
    ("name", "kind", "member"),
    [
        ("did/pub/Secp256k1/veriKey", "EcdsaSecp256k1VerificationKey2019", {"publicKeyHex": "00ff"}),
        ("did/pub/Secp256k1/sigAuth/hex", "EcdsaSecp256k1VerificationKey2019", {"publicKeyHex": "00ff"}),
        ("did/pub/Ed25519/sigAuth/base58", "Ed25519VerificationKey2018", {"publicKeyBase58": "15Q"}),
        ("did/pub/RSA/veriKey/base64", "RSAVerificationKey2018", {"publicKeyBase64": "AP8="}),
        ("did/pub/X25519/enc/multibase", "X25519KeyAgreementKey2019", {"value": "00ff"}),
        ("did/pub/RSAVerification/Key2018", "RSAVerificationKey2018", {"publicKeyHex": "00ff"}),
        ("did/pub/X25519/veriKey", "X25519", {"publicKeyHex": "00ff"}),
        ("did/pub/Bls", "Bls", {"publicKeyHex": "00ff"}),
    ],
)
def test_a_key_is_shown_as_its_name_says(name, kind, member):
    found = document(attribute(1, name, b"\x00\xff"))
    assert found["verificationMethod"][1] == {"id": f"{DID}#delegate-1", "type": kind, "controller": DID} | member


def test_a_pem_is_text_and_one_that_is_not_uses_up_a_number_only():
    found = document(
        attribute(1, "did/pub/RSA/veriKey/pem", b"\xff"), attribute(2, "did/pub/RSA/veriKey/pem", b"-----BEGIN")
    )
    assert ids(found) == ["controller", "delegate-2"]
    assert found["verificationMethod"][1]["publicKeyPem"] == "-----BEGIN"


def test_an_encryption_key_is_for_nothing_else_and_stays_referred_to():
    key = attribute(1, "did/pub/X25519/enc/hex", b"\x01")
    found = document(key)
    assert (ids(found, "keyAgreement"), ids(found, "assertionMethod")) == (["delegate-1"], ["controller"])
    revoked = document(key, attribute(2, "did/pub/X25519/enc/hex", b"\x01", 0))
    assert (ids(revoked), ids(revoked, "keyAgreement")) == (["controller"], ["delegate-1"])


def test_only_the_same_name_with_the_same_value_is_revoked():
    said = [attribute(1, "did/svc/Hub", b"one"), attribute(2, "did/svc/Hub", b"two")]
    assert ids(document(*said), "service") == ["service-1", "service-2"]
    kept = document(*said, attribute(3, "did/svc/Hub", b"two", 0), attribute(4, "did/svc/Hub", b"tw", 0))
    assert ids(kept, "service") == ["service-1"]
    later = document(*said, attribute(3, "did/svc/Hub", b"two", 0), attribute(4, "did/svc/Hub", b"three"))
    assert ids(later, "service") == ["service-1", "service-4"], "revocations count"


@pytest.mark.parametrize("name", ["did/svc/", "did/svc/a b", "did/svc/Hub/", "did/svc/a/b/c/d", "did/svc/é", "svc/Hub"])
def test_a_name_of_another_form_is_not_shown(name):
    assert "service" not in document(attribute(1, name, b"x"))


@pytest.mark.parametrize(
    ("value", "endpoint"),
    [
        (b"https://example.org", "https://example.org"),
        (b'"text"', "text"),
        (b"null", None),
        (b"NaN", "NaN"),
        (b"[1, {}]", [1, {}]),
        (b"[" * 1_000 + b"]" * 1_000, "[" * 1_000 + "]" * 1_000),
    ],
)
def test_a_service_is_json_where_it_parses_and_text_where_not(value, endpoint):
    assert document(attribute(1, "did/svc/Hub", value))["service"][0]["serviceEndpoint"] == endpoint


def test_a_service_that_is_no_text_uses_up_a_number_only():
    assert ids(document(attribute(1, "did/svc/Hub", b"\xff"), attribute(2, "did/svc/Hub", b"")), "service") == [
        "service-2"
    ]


def test_any_text_of_a_service_gets_through_as_ascii():
    answer = asked([attribute(1, "did/svc/Hub", b'"\\ud800"'), attribute(2, "did/svc/Hub", "ø".encode())])
    assert json.loads(answer.to_json().encode("ascii")) == answer.to_document()


def test_an_owner_takes_over_the_controller_and_leaves_the_delegates():
    found = document(delegate(1, "veriKey", METER), owner(2, BUYER))
    assert found["verificationMethod"][0]["blockchainAccountId"] == f"eip155:{CHAIN}:{to_text(BUYER)}"
    assert ids(found) == ["controller", "delegate-1"]


def test_a_key_in_the_did_is_shown_while_the_identity_owns_itself():
    key = "0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    self = Signer((1).to_bytes(32, "big")).address
    did = f"did:ethr:street:{key}"

    def seen(*owners):
        changes = [Change(n, OwnerChanged(self, who, at(n))) for n, who in enumerate(owners, 1)]
        registry = Registry(chain_id=CHAIN, changes=lambda _: changes, block_time=at, networks={"street": CHAIN})
        return resolve(did, registry, now=NOW).document

    assert ids(seen()) == ids(seen(), "authentication") == ["controller", "controllerKey"]
    assert seen()["verificationMethod"][1] == {
        "id": f"{did}#controllerKey",
        "type": "EcdsaSecp256k1VerificationKey2019",
        "controller": did,
        "publicKeyHex": key[2:],
    }
    assert ids(seen(BUYER)) == ["controller"]
    assert ids(seen(BUYER, self)) == ["controller", "controllerKey"]


def test_an_identity_given_to_nobody_is_deactivated_for_good():
    gone = [delegate(1, "veriKey", METER), owner(2, NOBODY), owner(3, HOUSE), delegate(4, "veriKey", AGENT)]
    answer = asked(gone)
    assert answer.document == {
        "id": DID,
        "verificationMethod": [],
        "authentication": [],
        "assertionMethod": [],
        "@context": list(CONTEXT),
    }
    assert answer.metadata == {"deactivated": True, "versionId": "2", "updated": "2027-01-14T08:00:02Z"}
    before = asked(gone, f"{DID}?versionId=1")
    assert "deactivated" not in before.metadata
    assert before.metadata["nextVersionId"] == "2"


def test_an_old_version_is_as_its_own_block_saw_it():
    changes = [delegate(2, "veriKey", METER, at(6)), delegate(4, "veriKey", AGENT), delegate(8, "sigAuth", BUYER)]
    answer = asked(changes, f"{DID}?versionId=6")
    assert ids(answer.document) == ["controller", "delegate-1", "delegate-2"]
    assert answer.metadata == {
        "versionId": "4",
        "updated": "2027-01-14T08:00:04Z",
        "nextVersionId": "8",
        "nextUpdate": "2027-01-14T08:00:08Z",
    }
    assert ids(asked(changes, f"{DID}?versionId=7").document) == ["controller", "delegate-2"]
    assert asked(changes, f"{DID}?versionId=0").metadata == {
        "nextVersionId": "2",
        "nextUpdate": "2027-01-14T08:00:02Z",
    }


@pytest.mark.parametrize(
    ("did", "accept", "error"),
    [
        ("did:ethr:0x12", None, "invalidDid"),
        (f"did:web:{DID}", None, "invalidDid"),
        (f"{DID}?versionId=latest", None, "invalidDid"),
        (f"{DID}?versionId=101", None, "notFound"),
        (to_did(CHAIN + 1, HOUSE), None, "notFound"),
        (f"did:ethr:avenue:0x{HOUSE.hex()}", None, "notFound"),
        (DID, "application/did+cbor", "representationNotSupported"),
        (DID, "", "representationNotSupported"),
    ],
)
def test_what_cannot_be_answered_is_answered_with_the_w3cs_word(did, accept, error):
    answer = asked([], did, accept=accept)
    assert answer.error == answer.to_document()["didResolutionMetadata"]["error"] == error
    assert (answer.document, answer.metadata) == (None, {})
    assert asked([], f"{DID}?versionId=100", accept=LD_JSON).error is None


def test_plain_json_has_no_context_and_keeps_the_spelling_asked_for():
    answer = asked([], f"did:ethr:street:{to_text(HOUSE)}#controller", accept=PLAIN_JSON)
    assert answer.resolution == {"contentType": PLAIN_JSON}
    assert "@context" not in answer.document
    assert answer.document["id"] == f"did:ethr:street:{to_text(HOUSE)}"


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"\0\0", "11"), (b"\0\x01", "12"), (b"Hello World!", "2NEpo7TZRRrLZSi2U"), (b"\xff", "5Q")],
)
def test_base58(data, text):
    assert base58(data) == text
