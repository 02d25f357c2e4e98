# pragma version 0.4.3
"""
@title What imbalance may cost in a market, and who answers for whom
@license Apache-2.0
@notice A grid operator opens imbalance in a market once and for good: which account is on the other side of every charge, how
    dear a kWh may be, how long a claim may be disputed, and how much its claimant stands to lose. Whoever holds an account may
    answer for another one until some second: then charges of its assets may go to that account instead.
@dev The terms of a market are one word: counterpart 32 bits (low), period 32, price cap 47, window 32, bond 64. It is zero only
    when it is not open.
"""

interface Settlement:
    def market(number: uint32) -> (uint256, uint256, uint256, uint256, uint256, uint256, bool): view
    def account(number: uint256) -> (address, uint256, uint256): view
    def role_registry() -> address: view
    def grid_operator_role() -> bytes32: view

interface RoleRegistry:
    def held_until(subject: address, role: bytes32) -> uint256: view
    def claim(subject: address, role: bytes32) -> RoleClaim: view

struct RoleClaim:
    version: uint256
    registered_at: uint256
    expiry: uint256
    issuer: address
    data: bytes32
    epoch: uint256
    revoked_at: uint256

U32: constant(uint256) = 2**32 - 1  # masks
U47: constant(uint256) = 2**47 - 1
U64: constant(uint256) = 2**64 - 1

SETTLEMENT: immutable(address)

terms_of: HashMap[uint256, uint256]
# responsible account << 32 | account -> the last second of delivery starts that it answers for
answers_until: HashMap[uint256, uint256]


event ImbalanceOpened:
    market: indexed(uint256)
    counterpart: indexed(uint256)
    price_cap: uint256
    window_seconds: uint256
    bond_nano: uint256


event Answering:
    responsible: indexed(uint256)
    account: indexed(uint256)
    until: uint256


@deploy
def __init__(settlement: address):
    assert settlement.is_contract, "imbalance: no settlement there"
    SETTLEMENT = settlement


@external
@view
def settlement() -> address:
    return SETTLEMENT


@external
@view
def terms(number: uint32) -> (uint256, uint256, uint256, uint256, uint256):
    """
    @return Counterpart, price cap (micro per kWh), window (seconds), bond (nano), period (seconds); zeros when it is not open.
    """
    word: uint256 = self.terms_of[convert(number, uint256)]
    return word & U32, word >> 64 & U47, self._window(word), self._bond(word), self._period(word)


@external
@view
def answering_until(responsible: uint32, account: uint32) -> uint256:
    """
    @return The last delivery start for which `responsible` answers for `account`.
    """
    return self.answers_until[convert(responsible, uint256) << 32 | convert(account, uint256)]


@external
def open_imbalance(number: uint32, counterpart: uint32, price_cap: uint256, window_seconds: uint32, bond_nano: uint64):
    """
    @notice Open imbalance in the market `number` for good. The sender's claim to the grid operator's role is for it, or for any.
    @param counterpart Gets what is charged, and pays what is owed.
    @param price_cap The most that a kWh may cost or earn, whatever its sign, in micro.
    @param window_seconds A claim is not settled before this time is over.
    @param bond_nano What a claimant stands to lose.
    """
    registry: RoleRegistry = RoleRegistry(staticcall Settlement(SETTLEMENT).role_registry())
    role: bytes32 = staticcall Settlement(SETTLEMENT).grid_operator_role()
    assert staticcall registry.held_until(msg.sender, role) >= block.timestamp, "imbalance: not a grid operator"
    named: uint256 = convert((staticcall registry.claim(msg.sender, role)).data, uint256)
    assert named == 0 or named == convert(number, uint256), "imbalance: role is for another"
    assert self.terms_of[convert(number, uint256)] == 0, "imbalance: open already"
    period: uint256 = (staticcall Settlement(SETTLEMENT).market(number))[3]
    assert period != 0, "imbalance: no such market"
    assert self._holder(convert(counterpart, uint256)) != empty(address), "imbalance: no such counterpart"
    assert price_cap <= U47, "imbalance: cap is too large"
    assert window_seconds != 0 and bond_nano != 0, "imbalance: window or bond is 0"
    self.terms_of[convert(number, uint256)] = (
        convert(counterpart, uint256)
        | period << 32
        | price_cap << 64
        | convert(window_seconds, uint256) << 111
        | convert(bond_nano, uint256) << 143
    )
    log ImbalanceOpened(
        market=convert(number, uint256),
        counterpart=convert(counterpart, uint256),
        price_cap=price_cap,
        window_seconds=convert(window_seconds, uint256),
        bond_nano=convert(bond_nano, uint256),
    )


@external
def answer_for(responsible: uint32, account: uint32, until: uint256):
    """
    @notice As the holder of `responsible`, answer for the imbalance of `account` in deliveries that start up to `until`. It takes
        nothing back that is over: what has begun to be delivered stays answered for.
    """
    assert self._holder(convert(responsible, uint256)) == msg.sender, "imbalance: not the holder"
    assert until >= block.timestamp, "imbalance: until is over"
    self.answers_until[convert(responsible, uint256) << 32 | convert(account, uint256)] = until
    log Answering(responsible=convert(responsible, uint256), account=convert(account, uint256), until=until)


@internal
@view
def _holder(account: uint256) -> address:
    return (staticcall Settlement(SETTLEMENT).account(account))[0]


@internal
@pure
def _period(word: uint256) -> uint256:
    return word >> 32 & U32


@internal
@pure
def _window(word: uint256) -> uint256:
    return word >> 111 & U32


@internal
@pure
def _bond(word: uint256) -> uint256:
    return word >> 143
