"""DIDs over HTTP as the W3C binds resolution: media types, statuses, versions."""

import pytest

from identity.address import to_text
from identity.assertion import VERI_KEY
from identity.did import to_did
from identity.facts import DelegateChanged, OwnerChanged
from identity.resolution import LD_JSON, PLAIN_JSON
from tests.actors import AGENT, METER, NEIGHBOUR, PRODUCER, STRANGER
from tests.identity.effects.shown_street import BEGIN, CHAIN_ID, NOW, ShownStreet

DID = to_did(CHAIN_ID, PRODUCER.address)
NOBODY = bytes(20)
RESULT = "application/did-resolution"


@pytest.fixture
def street():
    """The producer has named a meter, then given its identity to the neighbour; the agent's is nobody's any more."""
    street = ShownStreet()
    street.tell(
        DelegateChanged(PRODUCER.address, VERI_KEY, METER.address, NOW + 100, BEGIN),
        OwnerChanged(PRODUCER.address, NEIGHBOUR.address, BEGIN + 10),
        OwnerChanged(AGENT.address, NOBODY, BEGIN + 20),
    )
    return street


def asked(street, did=DID, accept=None, **parameters):
    headers = {} if accept is None else {"Accept": accept}
    answer = street.client.get(f"/v1/dids/{did}", params=parameters, headers=headers)
    return answer.status_code, answer.headers["content-type"], answer.json()


def controller(document):
    return document["verificationMethod"][0]["blockchainAccountId"].rpartition(":")[2]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", RESULT, "text/html, */*;q=0.1"])
def test_a_resolution_result_is_given_unless_a_document_is_asked_for(street, accept):
    status, kind, result = asked(street, accept=accept)
    assert (status, kind) == (200, RESULT)
    assert controller(result["didDocument"]) == to_text(NEIGHBOUR.address)
    assert result["didResolutionMetadata"] == {"contentType": LD_JSON}
    assert result["didDocumentMetadata"]["versionId"] == "2"


@pytest.mark.parametrize("accept", [LD_JSON, PLAIN_JSON, f"{RESULT};q=0.2, {PLAIN_JSON};q=0.5"])
def test_a_document_alone_is_given_in_the_media_type_that_is_asked_for(street, accept):
    status, kind, document = asked(street, accept=accept)
    assert (status, kind) == (200, PLAIN_JSON if PLAIN_JSON in accept else LD_JSON)
    assert ("@context" in document) == (kind == LD_JSON)
    assert document["id"] == DID


@pytest.mark.parametrize("accept", ["text/html", f"{RESULT};q=0", "application/did+cbor"])
def test_another_media_type_is_refused_in_the_words_of_the_w3c(street, accept):
    status, kind, result = asked(street, accept=accept)
    assert (status, kind) == (406, RESULT)
    assert result["didResolutionMetadata"]["error"] == "representationNotSupported"


def test_an_earlier_version_is_the_document_as_it_was(street):
    _, _, result = asked(street, versionId="1")
    assert controller(result["didDocument"]) == to_text(PRODUCER.address)
    assert result["didDocumentMetadata"]["nextVersionId"] == "2"


@pytest.mark.parametrize(
    ("did", "parameters", "status", "error"),
    [
        ("did:key:z6Mk", {}, 400, "invalidDid"),
        (DID + "00", {}, 400, "invalidDid"),
        (DID, {"versionTime": "2026-01-01T00:00:00Z"}, 400, "invalidDid"),
        (DID, {"versionId": "last"}, 400, "invalidDid"),
        (DID, {"versionId": "4"}, 404, "notFound"),
        (to_did(1, PRODUCER.address), {}, 404, "notFound"),
        ("did:ethr:nowhere:" + to_text(PRODUCER.address), {}, 404, "notFound"),
    ],
)
def test_what_cannot_be_answered_is_said_in_the_words_of_the_w3c(street, did, parameters, status, error):
    answered, kind, result = asked(street, did, **parameters)
    assert (answered, kind, result["didDocument"]) == (status, RESULT, None)
    assert result["didResolutionMetadata"]["error"] == error


def test_an_identity_that_nobody_controls_is_gone_with_an_empty_document(street):
    status, _, result = asked(street, to_did(CHAIN_ID, AGENT.address))
    assert (status, result["didDocumentMetadata"]["deactivated"]) == (410, True)
    assert result["didDocument"]["verificationMethod"] == []


def test_an_identity_that_never_wrote_anything_has_a_document(street):
    status, _, result = asked(street, to_did(CHAIN_ID, STRANGER.address))
    assert (status, controller(result["didDocument"])) == (200, to_text(STRANGER.address))
    assert result["didDocumentMetadata"] == {}
