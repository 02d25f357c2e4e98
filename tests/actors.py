"""The people of the tests: every role has one key, made from its name, and so one address."""

from dataclasses import dataclass

from identity.address import Address
from identity.hashing import keccak
from identity.signature import address_of, sign


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody with a role and the 32-byte private key of that role."""

    role: str

    @property
    def key(self) -> bytes:
        """The private key: public knowledge, for tests only."""
        return keccak(self.role.encode())

    @property
    def address(self) -> Address:
        """The address of the key."""
        return address_of(self.key)

    def sign(self, digest: bytes) -> bytes:
        """Return the actor's compact signature of `digest`."""
        return sign(digest, self.key)


OPERATOR = Actor("operator")
PRODUCER = Actor("producer")
CONSUMER = Actor("consumer")
PROSUMER = Actor("prosumer")
NEIGHBOUR = Actor("neighbour")
UTILITY = Actor("utility")
AGENT = Actor("agent")
STRANGER = Actor("stranger")
METER = Actor("meter")
BATTERY = Actor("battery")
CONTRACT = Actor("contract")
