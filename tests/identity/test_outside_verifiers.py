"""Our credentials before verifiers that are not ours: did-jwt-vc for tokens, Veramo for EIP-712 documents."""

import copy
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from identity import credential_eip712
from identity.credential_subject import FIELDS, MandateSubject
from identity.credential_text import read_credential
from identity.did import parse_did
from identity.document import document_at
from identity.errors import MalformedCredential
from tests.actors import AGENT, BATTERY, STRANGER
from tests.identity.certified import CHAIN_ID, END, FORMS, NOW, credential, did, given, listed, text_of
from tests.registries import CERTIFIER

NODE = Path(__file__).parents[1] / "node"
pytestmark = pytest.mark.node

SUBJECTS = [*(given(kind, BATTERY) for kind in FIELDS), MandateSubject(did(AGENT), did(BATTERY), "merit.trade.v1", 1)]
ISSUED = [credential(subject) for subject in (*SUBJECTS, listed())]


def judge(*texts, now=NOW):
    """What the outside verifiers say of credentials, given the documents that we would resolve."""
    node = shutil.which("node")
    assert node, "this test is marked `node`"
    documents = {
        str(did(actor)): document_at(parse_did(str(did(actor))), CHAIN_ID, (), now=now).document
        for actor in (CERTIFIER, STRANGER)
    }
    credentials = [json.loads(text) if text.startswith("{") else text for text in texts]
    done = subprocess.run(
        [node, "credential.mjs"],
        cwd=NODE,
        input=json.dumps({"credentials": credentials, "documents": documents, "now": now}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [verdict["verified"] for verdict in json.loads(done.stdout)]


@pytest.mark.parametrize("form", FORMS)
def test_a_credential_of_every_kind_is_accepted_and_one_by_another_key_is_not(form):
    assert judge(*(text_of(issued, CERTIFIER.key, form) for issued in ISSUED)) == [True] * len(ISSUED)
    assert judge(*(text_of(issued, STRANGER.key, form) for issued in ISSUED)) == [False] * len(ISSUED)


def test_an_expired_token_is_refused_by_both():
    token = text_of(ISSUED[0], CERTIFIER.key, "jwt")
    assert judge(token, now=END + 600) == [False]


def test_what_is_injected_is_accepted_by_others_and_refused_by_us():
    """The types do not name it, so the signature still fits: that is why we compare the properties with the types."""
    document = credential_eip712.issue(ISSUED[0], CERTIFIER.key)
    injected = copy.deepcopy(document)
    injected["credentialSubject"]["supplyRateOverride"] = "1"
    tampered = copy.deepcopy(document)
    tampered["credentialSubject"]["issuerFields"][0]["value"] = "load"
    assert judge(*map(json.dumps, (document, injected, tampered))) == [True, True, False]
    with pytest.raises(MalformedCredential, match="supplyRateOverride"):
        read_credential(json.dumps(injected))
