"""A DID registry on a chain in this process: acts go in, several to a block, and what was logged comes out."""

from random import Random

from contracts.artifacts import load
from contracts.devnet_keys import devnet_key
from contracts.local_evm import LocalEvm
from contracts.transacting import transact
from contracts.transaction import sender_of, sign
from identity.address import Address
from identity.document import Change
from identity.effects.registry_logs import decode
from identity.meta_transactions import (
    AddDelegate,
    ChangeOwner,
    RevokeAttribute,
    RevokeDelegate,
    SetAttribute,
    calldata,
    digest_to_sign,
    name_of,
    signed_calldata,
)
from identity.resolution import Registry
from identity.signature import Signer

NETWORK = "street"
BEGINNING = 1_780_000_000
NOBODY = Address(bytes(20))

GAS = 123_456
"""What the published controller sends with every write, and not a unit more."""


class DidStreet:
    """The registry, with the keys of the people in the street, who own themselves in the beginning."""

    def __init__(self, people: int = 5) -> None:
        self.now = BEGINNING
        self.evm = LocalEvm(lambda: self.now, genesis_time=BEGINNING)
        self.keys = {sender_of(devnet_key(n)): devnet_key(n) for n in range(people)}
        self.people = [Address(person) for person in self.keys]
        bytecode = load("DidRegistry").bytecode
        self.registry = Address(transact(self.evm, devnet_key(0), None, bytecode).contract_address)
        self.nonces = {person: self.evm.nonce(person) for person in self.people}
        self.owners = {person: person for person in self.people}
        self.signed = dict.fromkeys(self.people, 0)

    def do(self, *acts, later=1):
        """Mine one block, `later` seconds on, of acts: (identity, act, who brings it where its owner only signed)."""
        self.now = self.evm.head().timestamp + later
        raws = [self._transaction(identity, act, bringer) for identity, act, bringer in acts]
        self.evm._mine(self.now, [self.evm._machine.decode(raw) for raw in raws], raws)
        block = self.evm.head().number
        assert all(self.evm.receipt(bytes(each.hash)).ok for each in self.evm.mined(block).transactions)
        return block

    def _transaction(self, identity, act, bringer):
        owner = self.owners[identity]
        if bringer is None:
            data = calldata(identity, act)
        else:
            digest = digest_to_sign(self.registry, self.signed[owner], identity, act)
            data = signed_calldata(identity, act, Signer(self.keys[owner]).sign(digest))
            self.signed[owner] += 1
        if isinstance(act, ChangeOwner):
            self.owners[identity] = identity if act.owner == NOBODY else act.owner
        sender = owner if bringer is None else bringer
        self.nonces[sender] += 1
        return sign(
            self.keys[sender],
            chain_id=self.evm.chain_id,
            nonce=self.nonces[sender] - 1,
            to=self.registry,
            data=data,
            gas=GAS,
            max_fee=self.evm.next_base_fee() + 10**9,
            priority_fee=10**9,
        ).raw

    def changes(self, identity):
        """Return the changes of an identity, read from the log."""
        entries = self.evm.logs(self.registry, 0, self.evm.head().number)
        facts = [
            Change(entry.block_number, decode("DidRegistry", entry, block_time=self.block_time(entry.block_number)))
            for entry in entries
        ]
        return [change for change in facts if change.fact.identity == identity]

    def block_time(self, number):
        """Return the time of a block, or None."""
        block = self.evm.block(number)
        return None if block is None else block.timestamp

    def known(self):
        """Return what `resolve` asks for."""
        return Registry(
            chain_id=self.evm.chain_id,
            changes=self.changes,
            block_time=self.block_time,
            networks={NETWORK: self.evm.chain_id},
        )


KINDS = [*map(name_of, ("veriKey", "sigAuth", "enc", "raveller", "")), b"\xff" * 32, b"veri\0Key".ljust(32, b"\0")]
NAMES = [
    *(name_of(f"did/pub/{name}") for name in ("Secp256k1/veriKey", "Secp256k1/sigAuth/hex", "Ed25519/veriKey/base64")),
    *(name_of(f"did/pub/{name}") for name in ("Ed25519/sigAuth/base58", "X25519/enc/base58", "RSA/veriKey/pem")),
    *(name_of(f"did/pub/{name}") for name in ("RSA/enc/pem", "Bls", "X25519/enc/multi", "RSAVerification/Key2018", "")),
    *(name_of(f"did/svc/{name}") for name in ("Inbox", "Hub/a/b", "a b", "", "Mètre")),
    *(name_of(name) for name in ("did/pub/X/\n", "did/svc/Inbox\n", "note", "did/pubs/X", "")),
    b"\xc3" * 32,
    b"did/svc/Hub\0x".ljust(32, b"\0"),
]
VALUES = [
    *(b"", b"\0\0\x01", b"\xff\xfe", bytes(33), b"https://example.org/inbox", "Zähler №1 🏠".encode()),
    *(b'{"uri":"https://gw.example","accept":["didcomm/v2",{"a":1.50}]}', b"[1, 2.0, -0.0, 1e3]", b'"text"', b"null"),
    *(b"12345678901234567890", b"1e400", b"NaN", b"0x10", b'{"b":1,"1":2,"b":3}', b'"\\ud800"', b' {"a" : true}\n'),
    *(b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf{}", b"x" * 600),
]
VALIDITIES = [0, 1, 2, 3, 5, 9, 2**31, 2**200]


def random_act(random: Random, people):
    """Return one of the five acts; what is revoked was said before often enough."""
    kind, name, value = random.choice(KINDS[: random.choice((2, 7))]), random.choice(NAMES), random.choice(VALUES)
    who, validity = random.choice(people[:3]), random.choice(VALIDITIES)
    return random.choice(
        [
            ChangeOwner(random.choice([*people, NOBODY])),
            AddDelegate(kind, who, validity),
            AddDelegate(kind, who, validity),
            RevokeDelegate(kind, who),
            SetAttribute(name, value, validity),
            SetAttribute(name, value, validity),
            SetAttribute(name, value, validity),
            RevokeAttribute(name, value),
        ]
    )


def random_history(seed: int, blocks: int = 24):
    """Return a street in which this and that happened to the identities of its people."""
    random = Random(seed)
    street = DidStreet()
    said = []
    for _ in range(blocks):
        acts = []
        for _ in range(random.choice((0, 1, 1, 1, 2, 4))):
            act = random_act(random, street.people)
            if said and random.random() < 0.3:  # take back, or say again, what was said
                before = random.choice(said)
                if isinstance(before, SetAttribute):
                    act = random.choice([RevokeAttribute(before.name, before.value), before])
                elif isinstance(before, AddDelegate):
                    act = random.choice([RevokeDelegate(before.kind, before.delegate), before])
            said.append(act)
            bringer = random.choice([None, random.choice(street.people)])
            acts.append((random.choice(street.people[:3]), act, bringer))
        street.do(*acts, later=random.choice((1, 1, 2, 4)))
    return street
