"""What people do with the registries of a deployment: roles defined, assets made, certified, delegated, sold."""

from contracts.abi import abi_of
from contracts.deployment import Deployment, RoleNodes
from contracts.evm import Evm, Receipt
from contracts.transacting import transact
from identity.address import Address
from identity.hashing import keccak
from identity.names import namehash
from identity.purposes import TRADE
from identity.signature import address_of, sign
from identity.typed_data import Domain, address_word, digest, word

NAMES = ("asset", "balancingprovider", "gridoperator")
ASSET, BALANCING, GRID_OPERATOR = map(namehash, NAMES)
NODES = RoleNodes(asset=ASSET, balancing_provider=BALANCING, grid_operator=GRID_OPERATOR)
FOREVER = 1 << 40
_AGREEMENT = keccak(b"AgreementWithData(address subject,bytes32 role,uint256 version,bytes32 data,uint256 deadline)")
_PROOF = keccak(
    b"ProofWithData(address subject,bytes32 role,uint256 version,uint256 expiry,address issuer,bytes32 data,"
    b"uint256 epoch)"
)


class Registrar:
    """The root's owner defines the roles and `issuer` issues them; `payer` brings what others signed."""

    def __init__(self, evm: Evm, deployment: Deployment, *, root: bytes, issuer: bytes, payer: bytes) -> None:
        self.evm, self.deployment = evm, deployment
        self.root, self.issuer, self.payer = root, issuer, payer
        self._signed = 0

    def define_roles(self) -> None:
        """Define the three roles; what is agreed on balancing ends with a sale."""
        for name in NAMES:
            node, owner = namehash(name), address_of(self.root)
            self._tell(self.root, "RoleRegistry", "setSubnodeOwner", bytes(32), keccak(name.encode()), owner)
            issuers, none = [address_of(self.issuer)], bytes(32)
            terms = (issuers, none, [], none, [], False, 0, node == BALANCING, none)
            self._tell(self.root, "RoleRegistry", "define_role", node, name, 1, *terms)

    def create(self, owner: bytes) -> Address:
        """Make an asset for whoever has the key, and return its identity."""
        receipt = self._tell(owner, "AssetRegistry", "createIdentity", address_of(owner))
        return Address(receipt.logs[0].topics[1][12:])

    def certify(
        self, subject: Address, role: bytes, holder: bytes, *, epoch: int = 0, expiry: int | None = None
    ) -> None:
        """Issuer and holder agree that the subject has a role."""
        # each signature serves once, so no two claims have the same end and deadline
        self._signed += 1
        deadline = FOREVER + self._signed
        expiry = FOREVER - self._signed if expiry is None else expiry
        issuer, data = address_of(self.issuer), bytes(32)
        about = address_word(subject) + role + word(1)
        agreed = self._sign(holder, _AGREEMENT + about + data + word(deadline))
        proved = self._sign(self.issuer, _PROOF + about + word(expiry) + address_word(issuer) + data + word(epoch))
        terms = (subject, role, 1, expiry, issuer, data, deadline, agreed, proved)
        self._tell(self.payer, "RoleRegistry", "registerWithData", *terms)

    def revoke(self, subject: Address, role: bytes) -> Receipt:
        """Who issued the claim takes it back."""
        return self._tell(self.issuer, "RoleRegistry", "revoke", role, subject)

    def sell(self, identity: Address, owner: bytes, to: bytes) -> None:
        """The owner offers, the other accepts."""
        self._tell(owner, "AssetRegistry", "offer", identity, address_of(to), 0)
        self._tell(to, "AssetRegistry", "accept", identity)

    def delegate(self, identity: Address, owner: bytes, agent: Address, seconds: int) -> Receipt:
        """The owner lets `agent` trade for the asset for so long from now, in this ownership."""
        data = abi_of("AssetIdentity").calldata("delegate", TRADE, agent, seconds)
        return transact(self.evm, owner, identity, data)

    def dismiss(self, identity: Address, owner: bytes, agent: Address) -> Receipt:
        """The owner ends a delegation now."""
        return transact(self.evm, owner, identity, abi_of("AssetIdentity").calldata("dismiss", TRADE, agent))

    def _tell(self, key: bytes, contract: str, name: str, *arguments: object) -> Receipt:
        data = abi_of(contract).calldata(name, *arguments)
        return transact(self.evm, key, self.deployment.address_of(contract), data)

    def _sign(self, key: bytes, message: bytes) -> bytes:
        """A typed message of the role registry, wrapped as a personal message, as r, s, v."""
        domain = Domain(self.deployment.chain_id, Address(self.deployment.role_registry), "Claim Manager", "1.0")
        wrapped = keccak(b"\x19Ethereum Signed Message:\n32" + digest(domain.separator(), keccak(message)))
        short = sign(wrapped, key)
        parity = short[32] >> 7
        return short[:32] + bytes((short[32] & 0x7F,)) + short[33:] + bytes((27 + parity,))
