"""npm's resolver reads our registry, and its controller writes to it: what they make of it is what we make of it."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from contracts.devnet_keys import devnet_key
from contracts.devnet_server import DevnetServer
from identity.address import to_text
from identity.did import to_did
from identity.meta_transactions import (
    AddDelegate,
    ChangeOwner,
    RevokeAttribute,
    RevokeDelegate,
    SetAttribute,
    digest_to_sign,
    name_of,
)
from identity.resolution import LD_JSON, PLAIN_JSON, resolve
from identity.signature import Signer
from tests.identity.did_street import NETWORK, NOBODY, DidStreet, random_history

pytestmark = pytest.mark.node

NODE = Path(__file__).parents[1] / "node"


def run(script, given):
    node = shutil.which("node")
    assert node, "this test is marked `node`"
    text = json.dumps(given)
    done = subprocess.run([node, script], cwd=NODE, input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return as_script(done.stdout)


def as_script(text):
    """Read JSON with every number as a double, which is how a script engine has them."""
    return json.loads(text, parse_int=float)


def judged(street, questions):
    """Ask npm's resolver and ours the same, and return ours, which is equal but for the sentence of a refusal."""
    with DevnetServer(street.evm, 0) as server:
        theirs = run(
            "resolve.mjs",
            {
                "url": server.url,
                "registry": to_text(street.registry),
                "chainId": street.evm.chain_id,
                "network": NETWORK,
                "questions": questions,
            },
        )
    now, known = int(time.time()), street.known()
    ours = [as_script(resolve(did, known, now=now, accept=accept).to_json()) for did, accept in questions]
    for question, here, there in zip(questions, ours, theirs, strict=True):
        for answer in (here, there):
            answer["didResolutionMetadata"].pop("message", None)
        assert here == there, question
    return ours


def spellings(street, identity):
    return [
        to_did(street.evm.chain_id, identity),
        f"did:ethr:{NETWORK}:{to_text(identity)}",
        f"did:ethr:{NETWORK}:0x{public_key(street, identity)}",
    ]


def public_key(street, identity):
    from coincurve import PublicKey

    return PublicKey.from_secret(street.keys[identity]).format().hex()


@pytest.mark.parametrize("seed", range(4))
def test_a_random_history_reads_the_same_at_every_version(seed):
    street = random_history(seed)
    blocks = street.evm.head().number
    questions = [
        [f"{spellings(street, identity)[block % 3]}?versionId={block}", None]
        for identity in street.people[:3]
        for block in range(blocks + 2)  # and one that is not there yet
    ]
    latest = [[did, None] for identity in street.people for did in spellings(street, identity)]
    answers = judged(street, questions + latest)
    documents = {json.dumps(answer["didDocument"]) for answer in answers}
    assert len(documents) > blocks, "something happens"


def test_every_question_that_both_understand_gets_one_answer():
    street = DidStreet()
    me, other, *_ = street.people
    street.do((me, AddDelegate(name_of("sigAuth"), other, 2**40), None), (me, ChangeOwner(other), other))
    street.do((other, ChangeOwner(NOBODY), me))
    street.do((other, SetAttribute(name_of("did/svc/Hub"), b"x", 2**40), None))
    enc, third = name_of("did/pub/X25519/enc"), street.people[2]
    street.do((third, SetAttribute(enc, b"key", 2**40), None), (third, RevokeAttribute(enc, b"key"), None))
    known, nobody = to_did(street.evm.chain_id, me), to_did(street.evm.chain_id, NOBODY)
    answers = judged(
        street,
        [
            [known, PLAIN_JSON],
            [known, LD_JSON],
            [f"{known}#controller", None],
            [to_did(street.evm.chain_id, other), None],
            [nobody, None],
            [to_did(street.evm.chain_id, third), None],
            ["did:ethr:0x12", None],
            [f"{known}00", None],
            [f"{known}?versionId=99", None],
        ],
    )
    assert [answer["didResolutionMetadata"].get("error") for answer in answers] == [
        *[None] * 6,
        *["invalidDid"] * 2,
        "notFound",
    ]
    assert answers[3]["didDocumentMetadata"]["deactivated"] is True
    assert answers[5]["didDocument"]["keyAgreement"], "what was revoked is still referred to"


def test_the_published_controller_writes_what_we_read():
    street = DidStreet()
    key, payer = devnet_key(1), devnet_key(2)
    me, agent = Signer(key).address, street.people[3]
    did = to_did(street.evm.chain_id, me)
    inbox, secret = "https://example.org/inbox", "0x00ff00"
    hub, pub = "did/svc/Hub", "did/pub/X25519/enc/base64"
    acts = [
        ["addDelegate", "veriKey", to_text(agent), 2**40],
        ["setAttribute", hub, inbox, 2**40],
        ["setAttribute", pub, secret, 2**40],
        ["addDelegate", "sigAuth", to_text(agent), 2**40],
        ["revokeDelegate", "veriKey", to_text(agent)],
        ["revokeAttribute", hub, inbox],
        ["changeOwner", to_text(me)],
    ]
    with DevnetServer(street.evm, 0) as server:
        street.now = int(time.time())
        hashes = run(
            "controller.mjs",
            {
                "url": server.url,
                "registry": to_text(street.registry),
                "did": did,
                "key": "0x" + key.hex(),
                "payer": "0x" + payer.hex(),
                "acts": acts,
            },
        )
    meant = [
        AddDelegate(name_of("veriKey"), agent, 2**40),
        SetAttribute(name_of(hub), inbox.encode(), 2**40),
        SetAttribute(name_of(pub), b"\x00\xff\x00", 2**40),
        AddDelegate(name_of("sigAuth"), agent, 2**40),
        RevokeDelegate(name_of("veriKey"), agent),
        RevokeAttribute(name_of(hub), inbox.encode()),
        ChangeOwner(me),
    ]
    assert hashes == [
        "0x" + digest_to_sign(street.registry, nonce, me, act).hex() for nonce, act in enumerate(meant)
    ], "they sign what we sign"
    assert len(street.changes(me)) == 2 * len(acts)
    [answer] = judged(street, [[did, None]])
    document = answer["didDocument"]
    assert document["authentication"] == [f"{did}#controller", f"{did}#delegate-6"]
    assert document["keyAgreement"] == [f"{did}#delegate-4"]
    assert "service" not in document
