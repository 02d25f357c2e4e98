# pragma version 0.4.3
# pragma evm-version london
"""
@title Imbalance: what was not delivered as agreed, claimed with a bond, disputed by one reading, charged within bounds
@license Apache-2.0
@notice Readings stay off the chain. For a market and a delivery period an operator claims one Merkle root over salted leaves, one an
    asset, and lays down a bond. Whoever shows a reading of the asset's own meter that contradicts a leaf voids the claim in one
    step, and gets the bond. When the window is over, charges are settled: each belongs to a leaf, and is at most what its
    deviation comes to at the claimed price, which is within the market's cap. A leaf that is not charged stays sealed.
@dev Energy is in Wh, net of an asset is what it feeds in minus what it draws; prices in micro per kWh, money in nano.
    A session is `market << 48 | delivery start`: product 0 of Settlement's numbering, since a deviation is over all products.
    A leaf is keccak256(keccak256(abi.encode(session, asset, account, deviation, sealed))), and its sealed part
    keccak256(abi.encode(net, contracted, version, salt)); asset and account are Settlement's numbers.
    A claim is kept as one word, the hash of all of it; who speaks of it shows it again.
"""

from . import imbalance_terms

initializes: imbalance_terms

exports: (
    imbalance_terms.settlement,
    imbalance_terms.terms,
    imbalance_terms.answering_until,
    imbalance_terms.open_imbalance,
    imbalance_terms.answer_for,
)

interface Settlement:
    def open_account(holder: address) -> uint256: nonpayable
    def roles_of(member: address) -> uint256: view
    def asset(number: uint256) -> (address, uint256, uint256, uint256): view
    def epoch_of(number: uint256) -> uint256: view
    def did_registry() -> address: view
    def domain_separator() -> bytes32: view
    def move(entries: DynArray[uint256, MAX_ENTRIES]): nonpayable

interface Bonds:  # the same contract and function, with place for two entries only
    def move(entries: DynArray[uint256, 2]): nonpayable

interface DidRegistry:
    def delegates(identity: address, kind: bytes32, delegate: address) -> uint256: view

struct Claim:
    market: uint256
    start: uint256  # of delivery, unix seconds
    root: bytes32
    leaves: uint256
    short: int256  # what a kWh too little costs, micro
    long: int256  # what a kWh too much earns, micro
    parameters: bytes32
    account: uint256  # that the bond was taken from
    claimed_at: uint256

struct Leaf:
    asset: uint256
    account: uint256
    deviation: int256
    net: int256
    contracted: int256
    version: uint256  # of the reading it rests on; 0 where it was estimated
    salt: bytes32

METER: constant(bytes32) = keccak256("merit.meter.v1")
READING_TYPE: constant(bytes32) = keccak256(
    "Reading(address asset,uint40 start,uint32 seconds,int64 netWh,uint64 version)"
)
OPERATOR: constant(uint256) = 1  # Settlement's role
MAX_LEAVES: constant(uint256) = 1024
MAX_CHARGES: constant(uint256) = 512
MAX_ENTRIES: constant(uint256) = MAX_CHARGES + 3
MAX_DEPTH: constant(uint256) = 10
SETTLED: constant(bytes32) = 0x0000000000000000000000000000000000000000000000000000000000000001
U32: constant(uint256) = 2**32 - 1  # masks
U96: constant(uint256) = 2**96 - 1
U255: constant(uint256) = 2**255 - 1

# Settlement's number of this contract's own account, which holds the bonds
bond_account: public(immutable(uint256))
DID_REGISTRY: immutable(address)

# session -> hash of the claim that stands; 1 once it is settled
claims: public(HashMap[uint256, bytes32])
# account -> nano of bonds that it won while nothing could be moved
owed: public(HashMap[uint256, uint256])


event ImbalanceClaimed:
    session: indexed(uint256)
    account: indexed(uint256)
    root: bytes32
    leaves: uint256
    short: int256
    long: int256
    parameters: bytes32
    claimed_at: uint256


event ImbalanceVoided:
    session: indexed(uint256)
    account: indexed(uint256)
    asset: uint256
    paid: bool


event ImbalanceSettled:
    session: indexed(uint256)
    charges: uint256
    counterpart_nano: int256


event BondCollected:
    account: indexed(uint256)
    nano: uint256


@deploy
def __init__(settlement: address):
    """
    @param settlement Whose accounts are charged. Its admin names this contract there, see clearing.vy.
    """
    imbalance_terms.__init__(settlement)
    bond_account = extcall Settlement(settlement).open_account(self)
    DID_REGISTRY = staticcall Settlement(settlement).did_registry()


@external
def claim(
    market: uint32,
    start: uint40,
    root: bytes32,
    leaves: uint16,
    short: int48,
    long: int48,
    parameters: bytes32,
    account: uint32,
):
    """
    @notice Claim what was metered in a session, as an operator who holds `account`, which the bond is taken from.
    @param leaves How many the tree has.
    @param short What a kWh too little costs; `long` what a kWh too much earns. Either may be negative.
    @param parameters Hash of the rules that the charges follow; recorded, not checked.
    """
    claimed: Claim = Claim(
        market=convert(market, uint256),
        start=convert(start, uint256),
        root=root,
        leaves=convert(leaves, uint256),
        short=convert(short, int256),
        long=convert(long, int256),
        parameters=parameters,
        account=convert(account, uint256),
        claimed_at=block.timestamp,
    )
    self._only_operator()
    assert imbalance_terms._holder(claimed.account) == msg.sender, "imbalance: not the holder"
    word: uint256 = imbalance_terms.terms_of[claimed.market]
    assert word != 0, "imbalance: not open"
    period: uint256 = imbalance_terms._period(word)
    assert claimed.start % period == 0, "imbalance: off the period grid"
    assert block.timestamp >= claimed.start + period, "imbalance: not delivered yet"
    assert claimed.leaves != 0 and claimed.leaves <= MAX_LEAVES, "imbalance: number of leaves"
    cap: int256 = convert(word >> 64 & imbalance_terms.U47, int256)
    assert max(abs(claimed.short), abs(claimed.long)) <= cap, "imbalance: price above the cap"
    session: uint256 = self._session(claimed)
    standing: bytes32 = self.claims[session]
    assert standing != SETTLED, "imbalance: settled already"
    assert standing == empty(bytes32), "imbalance: claimed already"
    self.claims[session] = keccak256(abi_encode(claimed))
    log ImbalanceClaimed(
        session=session,
        account=claimed.account,
        root=root,
        leaves=claimed.leaves,
        short=claimed.short,
        long=claimed.long,
        parameters=parameters,
        claimed_at=block.timestamp,
    )
    extcall Bonds(imbalance_terms.SETTLEMENT).move(self._between(claimed.account, bond_account, imbalance_terms._bond(word)))


@external
def dispute(
    claimed: Claim,
    leaf: Leaf,
    proof: DynArray[bytes32, MAX_DEPTH],
    net: int64,
    version: uint64,
    r: bytes32,
    vs: bytes32,
    account: uint32,
):
    """
    @notice Void a claim that has not been settled yet: by a leaf that contradicts itself, or by a reading that contradicts it, signed
        by a meter that the asset's owner has named and had not dismissed when the period began. Anybody may, and `account`
        gets the bond.
    @param proof Siblings of the leaf from the bottom up.
    @param net What the reading says, of the claim's period and in `version`, signed in the form of EIP-2098. A reading older than
        what the leaf rests on contradicts nothing.
    @dev A pause saves no false claim: where the bond cannot be moved, it is owed, see `collect`.
    """
    word: uint256 = self._standing(claimed)
    session: uint256 = self._session(claimed)
    node: bytes32 = self._leaf(
        session,
        leaf.asset,
        leaf.account,
        leaf.deviation,
        keccak256(abi_encode(leaf.net, leaf.contracted, leaf.version, leaf.salt)),
    )
    for sibling: bytes32 in proof:
        node = self._parent(node, sibling)
    assert node == claimed.root, "imbalance: not in the tree"
    # a sum that does not fit is no deviation of anything either
    if unsafe_sub(leaf.net, leaf.contracted) == leaf.deviation:
        assert convert(net, int256) != leaf.net, "imbalance: reading agrees"
        assert convert(version, uint256) >= leaf.version, "imbalance: reading is older"
        self._check_meter(claimed.start, imbalance_terms._period(word), leaf.asset, net, version, r, vs)
    won: uint256 = convert(account, uint256)
    self.claims[session] = empty(bytes32)
    bond: uint256 = imbalance_terms._bond(word)
    paid: bool = raw_call(
        imbalance_terms.SETTLEMENT,
        abi_encode(self._between(bond_account, won, bond), method_id=method_id("move(uint256[])")),
        revert_on_failure=False,
    )
    if not paid:
        assert imbalance_terms._holder(won) != empty(address), "imbalance: no such account"
        self.owed[won] += bond
    log ImbalanceVoided(session=session, account=won, asset=leaf.asset, paid=paid)


@external
def collect(account: uint256):
    """
    @notice Move to the account what it won while nothing could be moved; anybody may.
    """
    nano: uint256 = self.owed[account]
    assert nano != 0, "imbalance: nothing is owed"
    self.owed[account] = 0
    log BondCollected(account=account, nano=nano)
    extcall Bonds(imbalance_terms.SETTLEMENT).move(self._between(bond_account, account, nano))


@external
def settle_imbalance(
    claimed: Claim, leaves: DynArray[bytes32, MAX_LEAVES], charges: DynArray[uint256, MAX_CHARGES]
):
    """
    @notice Charge a session whose window is over, once, wholly or not at all, and give the bond back; as an operator.
    @param leaves All of the claim's, in the order of its tree: of one that is charged its sealed part, of others the leaf itself.
    @param charges In strictly ascending order of asset. From the high bits: 16 zero bits, place of the leaf 16, asset 32, account 32,
        deviation 64, change of the account's credit 96, the last two in two's complement. It has the sign of deviation times
        price, and is at most that. The rest is the counterpart's.
    """
    self._only_operator()
    word: uint256 = self._standing(claimed)
    assert block.timestamp > claimed.claimed_at + imbalance_terms._window(word), "imbalance: window is open"
    assert len(leaves) == claimed.leaves, "imbalance: number of leaves"
    session: uint256 = self._session(claimed)
    # The bond goes back first, then who gets something gets it, so that it can be spent where the same account pays.
    bond: DynArray[uint256, 2] = self._between(bond_account, claimed.account, imbalance_terms._bond(word))
    entries: DynArray[uint256, MAX_ENTRIES] = [bond[0], bond[1]]
    size: uint256 = len(leaves)
    nodes: DynArray[bytes32, MAX_LEAVES] = leaves
    previous: uint256 = 0
    total: int256 = 0
    for charge: uint256 in charges:
        place: uint256 = charge >> 224
        asset: uint256 = charge >> 192 & U32
        account: uint256 = charge >> 160 & U32
        deviation: int256 = convert(convert(charge << 96, bytes32), int256) >> 192
        nano: int256 = convert(convert(charge << 160, bytes32), int256) >> 160
        # within 64 and 48 bits
        full: int256 = unsafe_mul(deviation, claimed.short if deviation < 0 else claimed.long)
        if asset <= previous:
            raise "imbalance: not ascending"
        if place >= size:
            raise "imbalance: no such leaf"
        # the same sign, or nothing, and no more
        if (nano < 0 and nano < full) or (nano > 0 and nano > full):
            raise "imbalance: charge is too large"
        previous = asset
        nodes[place] = keccak256(keccak256(abi_encode(session, asset, account, deviation, nodes[place])))
        # whose the asset is when delivery starts, or who answers for its account then
        identity: address = empty(address)
        held_by: uint256 = 0
        until: uint256 = 0
        balancing_until: uint256 = 0
        identity, held_by, until, balancing_until = staticcall Settlement(imbalance_terms.SETTLEMENT).asset(
            asset, skip_contract_check=True
        )
        if until < claimed.start:
            raise "imbalance: asset is not current"
        if account != held_by and imbalance_terms.answers_until[account << 32 | held_by] < claimed.start:
            raise "imbalance: answers for nobody"
        total = unsafe_add(total, nano)
        if nano > 0:
            entries.append(account << 96 | convert(nano, uint256))
    # The shape of OpenZeppelin's StandardMerkleTree: a queue, two out, their parent in, where there is place again.
    left: uint256 = 0
    for k: uint256 in range(size - 1, bound=MAX_LEAVES):
        right: uint256 = unsafe_add(left, 1)
        if right >= size:
            # past the last leaf the queue goes on at the front, with the first parents
            right = unsafe_sub(right, size)
            if left == size:
                left = 0
        a: uint256 = convert(nodes[left], uint256)
        b: uint256 = convert(nodes[right], uint256)
        left = unsafe_add(right, 1)
        if a < b:
            nodes[k] = keccak256(abi_encode(a, b))
        else:
            nodes[k] = keccak256(abi_encode(b, a))
    assert nodes[size - 2 if size > 1 else 0] == claimed.root, "imbalance: other leaves"
    self.claims[session] = SETTLED
    log ImbalanceSettled(session=session, charges=len(charges), counterpart_nano=-total)

    for charge: uint256 in charges:
        if charge >> 95 & 1 != 0:
            entries.append((charge >> 160 & U32) << 96 | charge & U96)
    if total != 0:
        entries.append((word & U32) << 96 | convert(convert(-total, bytes32), uint256) & U96)
    extcall Settlement(imbalance_terms.SETTLEMENT).move(entries)


@internal
@view
def _only_operator():
    assert staticcall Settlement(imbalance_terms.SETTLEMENT).roles_of(msg.sender) & OPERATOR != 0, "imbalance: not an operator"


@internal
@view
def _standing(claimed: Claim) -> uint256:
    """
    @return The terms of the claim's market; refuses a claim that does not stand.
    """
    assert self.claims[self._session(claimed)] == keccak256(abi_encode(claimed)), "imbalance: no such claim"
    return imbalance_terms.terms_of[claimed.market]


@internal
@pure
def _session(claimed: Claim) -> uint256:
    return claimed.market << 48 | claimed.start


@internal
@view
def _check_meter(start: uint256, period: uint256, asset: uint256, net: int64, version: uint64, r: bytes32, vs: bytes32):
    """
    @notice Refuse a reading that no meter of the asset has signed, as of the start of the period, as the exchange does.
    """
    identity: address = (staticcall Settlement(imbalance_terms.SETTLEMENT).asset(asset))[0]
    digest: bytes32 = keccak256(
        concat(
            0x1901,
            staticcall Settlement(imbalance_terms.SETTLEMENT).domain_separator(),
            keccak256(abi_encode(READING_TYPE, identity, start, period, net, version)),
        )
    )
    word: uint256 = convert(vs, uint256)
    signer: address = ecrecover(digest, 27 + (word >> 255), convert(r, uint256), word & U255)
    assert signer != empty(address), "imbalance: not its meter"
    epoch: uint256 = staticcall Settlement(imbalance_terms.SETTLEMENT).epoch_of(asset)
    # the registry files a delegation under the hash of its kind
    filed: bytes32 = keccak256(abi_encode(keccak256(abi_encode(METER, epoch))))
    until: uint256 = staticcall DidRegistry(DID_REGISTRY).delegates(identity, filed, signer)
    assert until > start, "imbalance: not its meter"


@internal
@pure
def _leaf(session: uint256, asset: uint256, account: uint256, deviation: int256, sealed: bytes32) -> bytes32:
    return keccak256(keccak256(abi_encode(session, asset, account, deviation, sealed)))


@internal
@pure
def _parent(one: bytes32, other: bytes32) -> bytes32:
    if convert(one, uint256) < convert(other, uint256):
        return keccak256(abi_encode(one, other))
    return keccak256(abi_encode(other, one))


@internal
@pure
def _between(payer: uint256, payee: uint256, nano: uint256) -> DynArray[uint256, 2]:
    """
    @return The entries of `move` that move so much from one account to the other.
    """
    return [payer << 96 | (unsafe_sub(0, nano) & U96), payee << 96 | nano]
