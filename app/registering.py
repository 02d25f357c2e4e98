"""Acts in the registries, each from intent to receipt: roles and who holds them, assets and what becomes of them.

For tools that do one thing at a time and hold the keys for it: founding, the command line, the demo. Keys are 32 bytes,
instants unix seconds.
"""

from dataclasses import dataclass, field, replace

from contracts.chains import ChainPreset
from contracts.deployment import Deployment
from contracts.evm import Evm, Receipt
from contracts.sent_log import SentLog
from contracts.transacting import transact
from identity.address import Address
from identity.claim_form import ClaimForm
from identity.claims import NO_DATA
from identity.creation import Creation, creation_domain
from identity.effects import asset_registry, role_registry
from identity.effects.asset_registry import AssetRegistry
from identity.effects.registry_logs import decode
from identity.effects.role_registry import RoleRegistry
from identity.energy_roles import EnergyRole, definition, role_node, role_nodes
from identity.facts import AssetCreated, RoleDefined
from identity.names import ROOT, lineage, namehash, role_name, roles_name
from identity.purposes import TRADE
from identity.signature import address_of, extended, sign
from settlement.effects.sources import Sources

SIGNED_FOR_SECONDS = 3600
"""How long what is signed here for somebody else to send serves."""


@dataclass(frozen=True, slots=True)
class Registering:
    """The registries of one deployment, on its chain, as `preset` treats it.

    With `sent` each transaction is written down before it is sent; then `deadline` says until when signatures serve, so
    that whoever begins again signs the same. Without it they serve for an hour. `gas` is as for `transact`.
    """

    evm: Evm
    deployment: Deployment | Sources
    preset: ChainPreset
    sent: SentLog | None = None
    deadline: int | None = None
    gas: int | None = None
    assets: AssetRegistry = field(init=False)
    roles: RoleRegistry = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "assets", AssetRegistry(self.evm, Address(self.deployment.asset_registry)))
        object.__setattr__(self, "roles", RoleRegistry(self.evm, Address(self.deployment.role_registry)))

    def tell(self, key: bytes, to: bytes, data: bytes, *, value: int = 0) -> Receipt:
        """Send one transaction as the holder of `key` and wait until it is mined. Raises `EvmError`."""
        return transact(self.evm, key, to, data, value=value, gas=self.gas, preset=self.preset, sent=self.sent)

    # Roles

    def define_roles(self, owner_key: bytes, label: str, *, alone: bool = False) -> None:
        """Give the community with this label its names and roles, as the owner of the root of all names.

        `alone`: one key is to hold every duty, so it is listed as the issuer of each role.
        """
        owner = address_of(owner_key)
        for name in lineage(roles_name(label)):
            first, _, above = name.partition(".")
            self._own(owner_key, namehash(above) if above else ROOT, first, owner)
        for role in role_nodes(label):
            first, _, above = role_name(role, label).partition(".")
            self._own(owner_key, namehash(above), first, owner)
            defined = definition(role, label, owner)
            self.define(owner_key, _issued_by(defined, owner) if alone else defined)

    def define(self, owner_key: bytes, role: RoleDefined) -> Receipt:
        """Say what a role is from now on, as the owner of its name."""
        return self.tell(owner_key, self.roles.address, role_registry.define(role))

    def claim(
        self,
        role: EnergyRole,
        subject: Address,
        *,
        label: str,
        subject_key: bytes,
        issuer_key: bytes,
        expiry: int,
        data: bytes = NO_DATA,
    ) -> Receipt:
        """Register that `subject` has a role of the community with this label until before `expiry`, signed for both.

        `subject_key` is that of the subject, or of the owner of the asset it is. Who issues pays.
        """
        form = ClaimForm(
            chain_id=self.evm.chain_id,
            registry=self.roles.address,
            subject=subject,
            role=role_name(role, label),
            version=self.roles.version(role_node(role, label)),
            data=data,
            deadline=self._deadline(),
        )
        return self.register(self.prove(form.agreed(subject_key), issuer_key, expiry=expiry), issuer_key)

    def prove(self, form: ClaimForm, issuer_key: bytes, *, expiry: int, issuer: Address | None = None) -> ClaimForm:
        """Sign what the subject agreed to for the issuer, whose key it is unless another is named. Sends nothing."""
        tenure = self.assets.tenure(form.subject)
        return form.proved_by(
            address_of(issuer_key) if issuer is None else issuer,
            issuer_key,
            expiry=expiry,
            epoch=0 if tenure is None else tenure.epoch,
        )

    def register(self, form: ClaimForm, payer_key: bytes) -> Receipt:
        """Register a claim that both have signed, whoever pays."""
        assert form.proved is not None, "the issuer has signed"
        return self.tell(
            payer_key,
            self.roles.address,
            role_registry.register(
                subject=form.subject,
                role=form.node,
                version=form.version,
                expiry=form.proved.expiry,
                issuer=form.proved.issuer,
                data=form.data,
                deadline=form.deadline,
                agreement=form.agreement,
                proof=form.proved.proof,
            ),
        )

    def revoke(self, key: bytes, node: bytes, subject: Address) -> Receipt:
        """Take back the subject's present claim to a role."""
        return self.tell(key, self.roles.address, role_registry.revoke(node, subject))

    # Assets

    def create_asset(self, owner_key: bytes, payer_key: bytes | None = None, *, number: int | None = None) -> Address:
        """Create an asset for the holder of `owner_key`; who pays need not be the owner.

        `number` is how many assets were created for the owner before, if that is not to be asked.
        """
        return self.created(owner_key, payer_key, number=number)[0]

    def created(
        self, owner_key: bytes, payer_key: bytes | None = None, *, number: int | None = None
    ) -> tuple[Address, Receipt]:
        """Do the same, and return the receipt too."""
        owner = address_of(owner_key)
        if payer_key is None or payer_key == owner_key:
            receipt = self.tell(owner_key, self.assets.address, asset_registry.create(owner))
        else:
            deadline = self._deadline()
            message = Creation(owner, self.assets.created(owner) if number is None else number, deadline)
            digest = message.digest(creation_domain(self.evm.chain_id, self.assets.address))
            signature = extended(sign(digest, owner_key))
            data = asset_registry.create_signed(owner, deadline, signature)
            receipt = self.tell(payer_key, self.assets.address, data)
        for entry in receipt.logs:
            fact = decode("AssetRegistry", entry, block_time=0)
            if isinstance(fact, AssetCreated):
                return fact.identity, receipt
        raise AssertionError("the asset registry logged no new asset")

    def delegate(
        self, owner_key: bytes, asset: Address, agent: Address, seconds: int, purpose: bytes = TRADE
    ) -> Receipt:
        """Let `agent` act for the asset for so many seconds, as its owner."""
        return self.tell(owner_key, asset, asset_registry.delegate(purpose, agent, seconds))

    def dismiss(self, owner_key: bytes, asset: Address, agent: Address, purpose: bytes = TRADE) -> Receipt:
        """End a delegation now, as the owner."""
        return self.tell(owner_key, asset, asset_registry.dismiss(purpose, agent))

    def offer(self, owner_key: bytes, asset: Address, to: Address, until: int = 0) -> Receipt:
        """Offer the asset up to the second `until` (0: no end), as its owner."""
        return self.tell(owner_key, self.assets.address, asset_registry.offer(asset, to, until))

    def accept(self, buyer_key: bytes, asset: Address) -> Receipt:
        """Take over an asset that is offered to the holder of the key."""
        return self.tell(buyer_key, self.assets.address, asset_registry.accept(asset))

    def reject(self, buyer_key: bytes, asset: Address) -> Receipt:
        """Decline an asset that is offered to the holder of the key."""
        return self.tell(buyer_key, self.assets.address, asset_registry.reject(asset))

    def cancel(self, owner_key: bytes, asset: Address) -> Receipt:
        """Take an offer back, as the owner."""
        return self.tell(owner_key, self.assets.address, asset_registry.cancel(asset))

    def retire(self, owner_key: bytes, asset: Address) -> Receipt:
        """End the asset for ever, as its owner."""
        return self.tell(owner_key, self.assets.address, asset_registry.retire(asset))

    def add_device_key(self, owner_key: bytes, asset: Address, key: Address, seconds: int) -> Receipt:
        """Let `key` speak for what the asset measures for so many seconds, as its owner."""
        return self.tell(owner_key, asset, asset_registry.add_device_key(key, seconds))

    def revoke_device_key(self, owner_key: bytes, asset: Address, key: Address) -> Receipt:
        """End that now, as the owner."""
        return self.tell(owner_key, asset, asset_registry.revoke_device_key(key))

    def sell(self, owner_key: bytes, asset: Address, buyer_key: bytes) -> None:
        """Offer the asset, and accept it as the buyer."""
        self.offer(owner_key, asset, address_of(buyer_key))
        self.accept(buyer_key, asset)

    def own_name(self, owner_key: bytes, name: str) -> bool:
        """Give a name to the holder of the key, who owns the name above it; false where it has the name already."""
        owner = address_of(owner_key)
        if self.roles.owner(namehash(name)) == owner:
            return False
        first, _, above = name.partition(".")
        self._own(owner_key, namehash(above) if above else ROOT, first, owner)
        return True

    def _deadline(self) -> int:
        return self.evm.head().timestamp + SIGNED_FOR_SECONDS if self.deadline is None else self.deadline

    def _own(self, owner_key: bytes, above: bytes, label: str, owner: Address) -> None:
        self.tell(owner_key, self.roles.address, role_registry.give_name(above, label, owner))


def _issued_by(role: RoleDefined, owner: Address) -> RoleDefined:
    return replace(role, issuers=(owner,), issuer_role=ROOT, revokers=(owner,), revoker_role=ROOT)
