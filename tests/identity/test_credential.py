"""Credentials in both forms: what is written is read, and everything else is refused or nobody's."""

import copy
import json

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from identity import credential_eip712, credential_jwt, jws
from identity.credential import StatusEntry
from identity.credential_subject import (
    ASSET,
    BALANCING_PROVIDER,
    ENERGY_TYPE,
    FIELDS,
    ROLE,
    ListSubject,
    MandateSubject,
    RoleSubject,
)
from identity.credential_text import read_credential
from identity.energy_roles import EnergyRole
from identity.errors import IdentityRefused, MalformedCredential
from identity.status_list import StatusList
from tests.actors import AGENT, BATTERY
from tests.identity.certified import BEGIN, END, FORMS, LIST, RATES, credential, did, given, text_of
from tests.registries import CERTIFIER

SUBJECTS = {kind: given(kind, BATTERY) for kind in FIELDS} | {
    "mandate": MandateSubject(did(AGENT), did(BATTERY), "merit.trade.v1", 1),
    "list": ListSubject(LIST, StatusList().encode()),
}
PROVIDER = credential(given(BALANCING_PROVIDER, BATTERY))
DOCUMENT = credential_eip712.issue(PROVIDER, CERTIFIER.key)
TOKEN = credential_jwt.issue(PROVIDER, CERTIFIER.key)
PAYLOAD = jws.read(TOKEN).payload


def places(value, path=()):
    """Every object, list and leaf of a document, by the way to it."""
    yield path, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from places(part, (*path, name))


def at(document, path):
    for name in path:
        document = document[name]
    return document


def named(paths):
    return [pytest.param(path, id=".".join(map(str, path)) or "top") for path in paths]


def signable(document):
    """What eth-account makes of a document: the credential with its proof, less the signature and the types."""
    domain = document["proof"]["eip712Domain"]
    proof = {name: value for name, value in document["proof"].items() if name not in ("proofValue", "eip712Domain")}
    full = {
        "types": domain["messageSchema"],
        "domain": domain["domain"],
        "primaryType": domain["primaryType"],
        "message": document | {"proof": proof},
    }
    return encode_typed_data(full_message=full)


OBJECTS = [path for path, value in places(DOCUMENT) if isinstance(value, dict)]
LEAVES = [path for path, value in places(DOCUMENT) if isinstance(value, str)]
MEMBERS = [path for path, _ in places(DOCUMENT) if path]
PAYLOAD_OBJECTS = [path for path, value in places(PAYLOAD) if isinstance(value, dict)]
PAYLOAD_MEMBERS = [path for path, _ in places(PAYLOAD) if path]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_credential_of_every_kind_is_read_as_it_was_issued(kind, form):
    issued = credential(SUBJECTS[kind])
    presented = read_credential(text_of(issued, CERTIFIER.key, form))
    assert presented.credential == issued
    assert CERTIFIER.address in presented.signers


@pytest.mark.parametrize("kind", SUBJECTS)
def test_eth_account_recovers_the_signer_of_a_document(kind):
    document = credential_eip712.issue(credential(SUBJECTS[kind]), CERTIFIER.key)
    signature = document["proof"]["proofValue"]
    signer = Account.recover_message(signable(document), signature=signature)
    assert signer.lower() == "0x" + CERTIFIER.address.hex()


@pytest.mark.parametrize(
    ("method", "accepted"),
    [
        (f"{did(CERTIFIER)}#controller", True),
        (f"{did(CERTIFIER)}#delegate-1", True),
        (f"{did(BATTERY)}#controller", False),
        (f"{did(CERTIFIER)}", False),
        ("#controller", False),
    ],
)
def test_a_proof_names_a_key_of_the_issuer(method, accepted):
    """Each of these is signed as it stands, by a wallet that knows nothing of credentials."""
    document = copy.deepcopy(DOCUMENT)
    document["proof"]["verificationMethod"] = method
    signed = Account.sign_message(signable(document), CERTIFIER.key)
    document["proof"]["proofValue"] = "0x" + bytes(signed.signature).hex()
    if accepted:
        assert credential_eip712.read(document).signers == (CERTIFIER.address,)
        return
    with pytest.raises(MalformedCredential):
        credential_eip712.read(document)


def test_a_document_is_of_the_form_that_most_verifiers_take():
    assert DOCUMENT["issuer"] == "did:ethr:0x7a69:0x" + CERTIFIER.address.hex()
    assert DOCUMENT["proof"]["verificationMethod"] == DOCUMENT["issuer"] + "#controller"
    assert DOCUMENT["proof"]["eip712Domain"]["domain"] == {}


def test_a_token_says_nothing_twice():
    assert set(PAYLOAD) == {"iss", "sub", "jti", "nbf", "exp", "vc"}
    assert set(PAYLOAD["vc"]) == {"@context", "type", "credentialSubject", "credentialStatus"}
    assert "id" not in PAYLOAD["vc"]["credentialSubject"]


@pytest.mark.parametrize("path", named(path for path in LEAVES if "messageSchema" not in path))
def test_a_tampered_document_is_refused_or_nobodys(path):
    document = copy.deepcopy(DOCUMENT)
    text = at(document, path)
    at(document, path[:-1])[path[-1]] = ("1" if text[:1] != "1" else "2") + text[1:]
    try:
        presented = credential_eip712.read(document)
    except MalformedCredential:
        return
    assert CERTIFIER.address not in presented.signers


@pytest.mark.parametrize("path", named(path for path in OBJECTS if "messageSchema" not in path))
def test_a_document_with_an_injected_property_is_refused(path):
    """A further property that the types do not name leaves the signature valid: some verifiers never notice."""
    document = copy.deepcopy(DOCUMENT)
    at(document, path)["supplyRateOverride"] = "1"
    with pytest.raises(MalformedCredential):
        credential_eip712.read(document)


def test_a_document_whose_types_are_changed_in_any_way_is_refused():
    schema = ("proof", "eip712Domain", "messageSchema")
    changed = 0
    for path, value in places(at(DOCUMENT, schema), schema):
        document = copy.deepcopy(DOCUMENT)
        match value:
            case str():
                at(document, path[:-1])[path[-1]] += "x"
            case list():
                at(document, path).append({"name": "supplyRateOverride", "type": "string"})
            case dict():
                at(document, path)["supplyRateOverride"] = []
        with pytest.raises(MalformedCredential, match="messageSchema"):
            credential_eip712.read(document)
        changed += 1
    assert changed > 80


def test_an_injected_property_that_the_types_name_is_refused_too():
    document = copy.deepcopy(DOCUMENT)
    document["supplyRateOverride"] = "1"
    schema = document["proof"]["eip712Domain"]["messageSchema"]
    schema["VerifiableCredential"].append({"name": "supplyRateOverride", "type": "string"})
    with pytest.raises(MalformedCredential, match="supplyRateOverride"):
        credential_eip712.read(document)


@pytest.mark.parametrize("path", named(path for path in MEMBERS if "messageSchema" not in path[:-1]))
def test_an_incomplete_document_is_refused(path):
    document = copy.deepcopy(DOCUMENT)
    del at(document, path[:-1])[path[-1]]
    with pytest.raises(MalformedCredential):
        credential_eip712.read(document)


@pytest.mark.parametrize("path", named(path for path in MEMBERS if "messageSchema" not in path))
def test_a_document_with_a_value_of_another_type_is_refused(path):
    for value in (None, 7, [], {}, "", ["a"], {"a": "b"}):
        document = copy.deepcopy(DOCUMENT)
        if at(document, path) == value:
            continue
        at(document, path[:-1])[path[-1]] = value
        with pytest.raises(MalformedCredential):
            credential_eip712.read(document)


@pytest.mark.parametrize("path", named(PAYLOAD_OBJECTS))
def test_a_token_with_an_injected_property_is_refused_even_when_it_is_signed(path):
    payload = copy.deepcopy(PAYLOAD)
    at(payload, path)["supplyRateOverride"] = "1"
    with pytest.raises(MalformedCredential):
        credential_jwt.read(jws.encode(payload, CERTIFIER.key))


@pytest.mark.parametrize("path", named(PAYLOAD_MEMBERS))
def test_an_incomplete_token_is_refused_even_when_it_is_signed(path):
    payload = copy.deepcopy(PAYLOAD)
    del at(payload, path[:-1])[path[-1]]
    with pytest.raises(MalformedCredential):
        credential_jwt.read(jws.encode(payload, CERTIFIER.key))


@pytest.mark.parametrize("path", named(PAYLOAD_MEMBERS))
def test_a_token_with_a_value_of_another_type_is_refused_even_when_it_is_signed(path):
    for value in (None, True, -1, 1 << 60, [], {}, ""):
        payload = copy.deepcopy(PAYLOAD)
        at(payload, path[:-1])[path[-1]] = value
        with pytest.raises(MalformedCredential):
            credential_jwt.read(jws.encode(payload, CERTIFIER.key))


@pytest.mark.parametrize("holder", [BATTERY, AGENT], ids=lambda holder: holder.role)
def test_a_token_that_names_its_subject_a_second_time_is_refused(holder):
    """Verifiers differ in which of the two they believe."""
    payload = copy.deepcopy(PAYLOAD)
    payload["vc"]["credentialSubject"]["id"] = str(did(holder))
    with pytest.raises(MalformedCredential, match="sub"):
        credential_jwt.read(jws.encode(payload, CERTIFIER.key))


def test_a_tampered_token_is_nobodys():
    payload = copy.deepcopy(PAYLOAD)
    payload["vc"]["credentialSubject"]["issuerFields"][1]["value"] = "999999"
    forged = jws.encode(payload, CERTIFIER.key).split(".")
    forged[2] = TOKEN.split(".")[2]
    assert CERTIFIER.address in credential_jwt.read(TOKEN).signers
    assert CERTIFIER.address not in credential_jwt.read(".".join(forged)).signers


@pytest.mark.parametrize(
    ("wrong", "change"),
    [
        ("rates in another order", lambda: given(BALANCING_PROVIDER, BATTERY, fields=RATES[::-1])),
        ("one rate only", lambda: given(BALANCING_PROVIDER, BATTERY, fields=RATES[:1])),
        ("a third rate", lambda: given(BALANCING_PROVIDER, BATTERY, fields=(*RATES, ("override", "1")))),
        ("a rate twice", lambda: given(BALANCING_PROVIDER, BATTERY, fields=(RATES[0], RATES[0]))),
        ("a rate with a point", lambda: given(BALANCING_PROVIDER, BATTERY, fields=(("demandRate", "3.3"), RATES[1]))),
        ("a rate below zero", lambda: given(BALANCING_PROVIDER, BATTERY, fields=(("demandRate", "-3"), RATES[1]))),
        ("a leading zero", lambda: given(BALANCING_PROVIDER, BATTERY, fields=(("demandRate", "03"), RATES[1]))),
        (
            "digits of another script",
            lambda: given(BALANCING_PROVIDER, BATTERY, fields=(("demandRate", "٣"), RATES[1])),
        ),
        ("an unknown energy type", lambda: given(ENERGY_TYPE, BATTERY, fields=(("energyType", "green"),))),
        ("rates under the role of an asset", lambda: given(BALANCING_PROVIDER, BATTERY, role="asset")),
        ("an asset without its properties", lambda: given(ROLE, BATTERY, role=EnergyRole.ASSET)),
        ("a role that is no name", lambda: RoleSubject(ROLE, did(BATTERY), "Certifier", 1)),
        ("a negative version", lambda: given(ASSET, BATTERY, version=-1)),
        ("no end after the beginning", lambda: credential(SUBJECTS[ASSET], expires_at=BEGIN)),
        ("a role that cannot be taken back", lambda: credential(SUBJECTS[ASSET], status=None)),
        ("a list with a status", lambda: credential(SUBJECTS["list"], status=StatusEntry(LIST, 1))),
        ("a list under another name", lambda: credential(SUBJECTS["list"], name=LIST + "/2")),
        ("a name that is no UUID", lambda: credential(SUBJECTS[ASSET], name="urn:uuid:1")),
        ("a list in a file", lambda: StatusEntry("file:///etc/passwd", 1)),
        ("an index below zero", lambda: StatusEntry(LIST, -1)),
        ("an index beyond any list", lambda: StatusEntry(LIST, 1 << 23)),
        ("a list with a fragment", lambda: StatusEntry(LIST + "#a", 1)),
        ("epoch zero", lambda: MandateSubject(did(AGENT), did(BATTERY), "merit.trade.v1", 0)),
        ("a purpose that is no name", lambda: MandateSubject(did(AGENT), did(BATTERY), "Trade!", 1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_not_be_read_is_not_issued(wrong, change):
    with pytest.raises(IdentityRefused):
        change()


def test_the_rates_of_a_credential_are_the_word_of_the_claim():
    assert given(BALANCING_PROVIDER, BATTERY).claim_data() == (330_000 << 128 | 350_000).to_bytes(32, "big")


@pytest.mark.parametrize(
    "spelling",
    [lambda address: "0x" + address.hex(), lambda address: "0x" + address.hex().upper()],
    ids=["lower case", "upper case"],
)
def test_a_did_is_whom_it_means_however_it_is_spelled(spelling):
    payload = dict(PAYLOAD) | {"iss": "did:ethr:0x07a69:" + spelling(CERTIFIER.address)}
    assert credential_jwt.read(jws.encode(payload, CERTIFIER.key)).credential.issuer == did(CERTIFIER)


@pytest.mark.parametrize("issuer", ["did:web:example.org", "did:ethr:nowhere:0x" + "11" * 20, "0x" + "11" * 20, ""])
def test_an_issuer_that_is_no_did_of_a_known_network_is_refused(issuer):
    with pytest.raises(MalformedCredential):
        credential_jwt.read(jws.encode(dict(PAYLOAD) | {"iss": issuer}, CERTIFIER.key))


def test_a_document_that_names_a_property_twice_is_refused():
    text = json.dumps(DOCUMENT)
    assert read_credential(f" {text}\n").credential == PROVIDER
    twice = text.replace('"issuer":', f'"issuer": "{did(BATTERY)}", "issuer":', 1)
    with pytest.raises(MalformedCredential, match="twice"):
        read_credential(twice)


@pytest.mark.parametrize("text", ["", "{}", "{", "null", "a.b.c", '{"proof": {}}', '{"proof": []}', "{" * 100_000])
def test_what_is_no_credential_is_refused(text):
    with pytest.raises(MalformedCredential):
        read_credential(text)


def test_a_signature_with_s_in_the_upper_half_is_refused_in_a_document():
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    value = bytes.fromhex(DOCUMENT["proof"]["proofValue"][2:])
    high = value[:32] + (order - int.from_bytes(value[32:64], "big")).to_bytes(32, "big") + bytes((55 - value[64],))
    document = copy.deepcopy(DOCUMENT)
    document["proof"]["proofValue"] = "0x" + high.hex()
    with pytest.raises(MalformedCredential, match="upper half"):
        credential_eip712.read(document)


def test_the_times_of_a_credential_are_its_issuers():
    found = credential_jwt.read(TOKEN).credential
    assert (found.issued_at, found.expires_at) == (BEGIN, END)
