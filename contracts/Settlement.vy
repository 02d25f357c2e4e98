# pragma version 0.4.3
# pragma evm-version london
"""
@title Merit's settlement
@license Apache-2.0
@notice Holds one ERC-20 in escrow and settles the sessions of local energy markets. It believes nobody: the operator brings signed
    orders and the trades made of them, and every signature, limit, fill and fee is checked again before any money moves.
@dev Energy is in Wh, a rate in micro per kWh and signed, money in nano; so energy times rate is money, exactly.
    What leaves the hot path slow is the floor of the machine: calldata, one recovery, two cold words an order.
"""

from . import assets
from . import delegates
from . import escrow
from . import markets
from . import order_digest
from . import pause as pausing
from . import roles
from . import sessions

initializes: roles
initializes: pausing[roles := roles]
initializes: escrow[pause := pausing]
initializes: delegates[escrow := escrow]
initializes: assets[escrow := escrow, roles := roles]
initializes: markets[escrow := escrow, roles := roles]
initializes: order_digest
initializes: sessions

exports: (
    roles.admin,
    roles.proposed_admin,
    roles.roles_of,
    roles.grant,
    roles.revoke,
    roles.propose_admin,
    roles.accept_admin,
    pausing.paused,
    pausing.pause,
    pausing.unpause,
    escrow.token,
    escrow.scale,
    escrow.withdrawal_delay,
    escrow.account_count,
    escrow.tokens_held,
    escrow.account,
    escrow.credit_of,
    escrow.withdrawal,
    escrow.open_account,
    escrow.deposit,
    escrow.deposit_with_permit,
    escrow.request_withdrawal,
    escrow.cancel_withdrawal,
    escrow.withdraw,
    delegates.agent_until,
    delegates.epoch_since,
    delegates.name_delegate,
    delegates.revoke_delegate,
    delegates.void_orders,
    assets.asset_count,
    assets.asset_of,
    assets.asset,
    assets.enrol,
    assets.retire,
    assets.renew,
    markets.market,
    markets.open_market,
    order_digest.domain_separator,
    order_digest.digest_of,
    sessions.record,
    sessions.record_of,
    sessions.parts_settled,
    sessions.filled,
)

MAX_ORDERS: constant(uint256) = 512
MAX_TRADES: constant(uint256) = 512
ORDER_BYTES: constant(uint256) = 128

U16: constant(uint256) = 2**16 - 1  # masks
U32: constant(uint256) = 2**32 - 1
U48: constant(uint256) = 2**48 - 1
U64: constant(uint256) = 2**64 - 1
U160: constant(uint256) = 2**160 - 1
NET: constant(uint256) = U64 << 160 | U32 << 224


@deploy
def __init__(token: address, admin: address, withdrawal_delay: uint256):
    """
    @param token The ERC-20 to hold, of at most 9 decimals.
    @param admin Who grants the first roles.
    @param withdrawal_delay Seconds from asking for money to getting it.
    """
    roles.__init__(admin)
    escrow.__init__(token, withdrawal_delay)
    order_digest.__init__()


@external
def settle(
    market: uint32,
    product: uint8,
    delivery_start: uint40,
    part: uint16,
    parts: uint16,
    order_root: bytes32,
    parameters: bytes32,
    orders: uint256,
    trades: DynArray[uint256, MAX_TRADES],
):
    """
    @notice Settle a session, or the next part of it, wholly or not at all.
    """
    pausing._only_running()
    assert roles._has(roles.OPERATOR), "roles: not an operator"
    market_id: uint256 = convert(market, uint256)
    product_id: uint256 = convert(product, uint256)
    start: uint256 = convert(delivery_start, uint256)
    session: uint256 = market_id << 48 | product_id << 40 | start
    terms_of_market: uint256 = markets.markets[market_id]
    assert terms_of_market != 0, "markets: not open"
    assert start % markets._period(terms_of_market) == 0, "sessions: off the period grid"
    assert start > markets._lead(terms_of_market), "sessions: start is too early"
    gate_closure: uint256 = start - markets._lead(terms_of_market)
    assert block.timestamp >= gate_closure, "sessions: gate is open"
    assert block.timestamp <= start + markets._window(terms_of_market), "sessions: window is over"
    sessions._begin(session, convert(part, uint256), convert(parts, uint256), order_root, parameters)

    # the orders lie in calldata as a SignedOrder[] argument does
    many_parts: bool = parts != 1
    assert orders < len(msg.data), "orders: calldata is short"
    count: uint256 = extract32(slice(msg.data, orders + 4, 32), 0, output_type=uint256)
    assert count <= MAX_ORDERS, "orders: too many"
    domain: bytes32 = order_digest._domain()
    book: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    digests: bytes32[MAX_ORDERS] = empty(bytes32[MAX_ORDERS])
    cursor: uint256 = orders + 36
    previous: uint256 = 0
    for i: uint256 in range(count, bound=MAX_ORDERS):
        terms: uint256 = 0
        preferences: bytes32 = empty(bytes32)
        r: bytes32 = empty(bytes32)
        vs: bytes32 = empty(bytes32)
        terms, preferences, r, vs = abi_decode(slice(msg.data, cursor, ORDER_BYTES), (uint256, bytes32, bytes32, bytes32))
        cursor = unsafe_add(cursor, ORDER_BYTES)
        number: uint256 = terms >> 208
        assert number <= U32, "orders: high bits are not zero"
        side: uint256 = terms >> 200 & 255
        energy: uint256 = terms >> 152 & U48
        valid_until: uint256 = terms >> 64 & (2**40 - 1)
        salt: uint256 = terms & U64
        assert energy != 0, "orders: energy is zero"
        assert side <= 1, "orders: no such side"
        assert valid_until >= gate_closure, "orders: expired"
        asset: uint256 = assets.assets[number]
        assert asset >> 192 >= gate_closure, "assets: not current"
        digest: bytes32 = keccak256(
            concat(
                b"\x19\x01",
                domain,
                keccak256(
                    abi_encode(
                        order_digest.ORDER_TYPE,
                        asset & U160,
                        market_id,
                        product_id,
                        side,
                        start,
                        energy,
                        convert(convert(terms << 104, bytes32), int256) >> 208,
                        preferences,
                        valid_until,
                        salt,
                    )
                ),
            )
        )
        assert convert(digest, uint256) > previous, "orders: not ascending"
        previous = convert(digest, uint256)
        account_number: uint256 = asset >> 160 & U32
        account: uint256 = escrow.accounts[account_number]
        if salt >> 32 != account >> 224:
            assert delegates._was_in_force(salt >> 32, account_number, account >> 224, gate_closure), "orders: epoch is void"
        s: uint256 = convert(vs, uint256) & order_digest.LOW_255
        assert s <= order_digest.HALF_ORDER, "orders: s is high"
        signer: address = ecrecover(digest, unsafe_add(27, convert(vs, uint256) >> 255), r, convert(s, bytes32))
        if convert(signer, uint256) != account & U160:
            assert delegates._may_sign(signer, account_number, gate_closure), "orders: signer may not trade"
        if many_parts:
            energy = unsafe_sub(energy, sessions.filled[digest])
        digests[i] = digest
        book[i] = energy | (terms >> 104 & U48) << 48 | account_number << 96 | side << 128

    fee_cap: uint256 = terms_of_market >> 32 & U48
    uniform: bool = terms_of_market >> 176 != 0
    common_rate: int256 = 0
    if len(trades) != 0:
        common_rate = convert(convert(trades[0] << 160, bytes32), int256) >> 208
    leaves: bytes32[MAX_TRADES] = empty(bytes32[MAX_TRADES])
    energy_wh: uint256 = 0
    value_nano: int256 = 0
    fee_nano: uint256 = 0
    at: uint256 = 0
    for trade: uint256 in trades:
        bid_index: uint256 = trade >> 160
        offer_index: uint256 = trade >> 144 & U16
        assert bid_index < count and offer_index < count, "trades: no such order"
        energy: uint256 = trade >> 96 & U48
        rate: int256 = convert(convert(trade << 160, bytes32), int256) >> 208
        fee: uint256 = trade & U48
        bid: uint256 = book[bid_index]
        offer: uint256 = book[offer_index]
        assert bid >> 128 & 1 == 0, "trades: bid is an offer"
        assert offer >> 128 & 1 == 1, "trades: offer is a bid"
        assert (bid ^ offer) >> 96 & U32 != 0, "trades: with oneself"
        assert energy != 0, "trades: energy is zero"
        assert energy <= bid & U48, "trades: bid is used up"
        assert energy <= offer & U48, "trades: offer is used up"
        assert fee <= fee_cap, "trades: fee is above the cap"
        price: int256 = unsafe_add(rate, convert(fee, int256))
        assert rate >= convert(convert(offer << 160, bytes32), int256) >> 208, "trades: rate is below the offer"
        assert price <= convert(convert(bid << 160, bytes32), int256) >> 208, "trades: rate is above the bid"
        assert not uniform or rate == common_rate, "trades: two rates"
        value: int256 = unsafe_mul(convert(energy, int256), rate)
        cost: int256 = unsafe_mul(convert(energy, int256), price)
        book[bid_index] = unsafe_sub(unsafe_sub(bid, energy), convert(convert(cost, bytes32), uint256) << 160)
        book[offer_index] = unsafe_add(unsafe_sub(offer, energy), convert(convert(value, bytes32), uint256) << 160)
        energy_wh = unsafe_add(energy_wh, energy)
        value_nano = unsafe_add(value_nano, value)
        fee_nano = unsafe_add(fee_nano, unsafe_mul(energy, fee))
        leaves[at] = keccak256(
            keccak256(abi_encode(session, digests[bid_index], digests[offer_index], energy, rate, fee))
        )
        at = unsafe_add(at, 1)
    # the shape of OpenZeppelin's StandardMerkleTree: a queue, two out, their parent in; done in place
    root: bytes32 = keccak256(b"")
    if at != 0:
        left: uint256 = 0
        for k: uint256 in range(unsafe_sub(at, 1), bound=MAX_TRADES):
            a: uint256 = convert(leaves[left], uint256)
            left = unsafe_add(left, 1)
            if left == at:
                left = 0
            b: uint256 = convert(leaves[left], uint256)
            left = unsafe_add(left, 1)
            if left == at:
                left = 0
            if a < b:
                leaves[k] = keccak256(abi_encode(a, b))
            else:
                leaves[k] = keccak256(abi_encode(b, a))
        if at == 1:
            root = leaves[0]
        else:
            root = leaves[unsafe_sub(at, 2)]
    sessions.trade_roots[session << 16 | convert(part, uint256)] = root

    # credits first, so that what is earned here may be spent here
    if fee_nano != 0:
        fee_account: uint256 = terms_of_market & U32
        account: uint256 = escrow.accounts[fee_account]
        assert (account >> 160 & U64) + fee_nano <= U64, "money: credit is too large"
        escrow.accounts[fee_account] = unsafe_add(account, fee_nano << 160)
    for i: uint256 in range(count, bound=MAX_ORDERS):
        entry: uint256 = book[i]
        net: int256 = convert(convert(entry, bytes32), int256) >> 160
        if net > 0:
            account_number: uint256 = entry >> 96 & U32
            account: uint256 = escrow.accounts[account_number]
            assert unsafe_add(account >> 160 & U64, entry >> 160) <= U64, "money: credit is too large"
            escrow.accounts[account_number] = unsafe_add(account, entry & NET)
    for i: uint256 in range(count, bound=MAX_ORDERS):
        entry: uint256 = book[i]
        net: int256 = convert(convert(entry, bytes32), int256) >> 160
        if net < 0:
            account_number: uint256 = entry >> 96 & U32
            account: uint256 = escrow.accounts[account_number]
            assert convert(account >> 160 & U64, int256) + net >= 0, "money: credit is short"
            escrow.accounts[account_number] = unsafe_add(account, entry & NET)
    log sessions.Settled(
        session=session,
        part=convert(part, uint256),
        parts=convert(parts, uint256),
        order_root=order_root,
        trade_root=root,
        parameters=parameters,
        orders=count,
        trades=len(trades),
        energy_wh=energy_wh,
        value_nano=value_nano,
        fee_nano=fee_nano,
    )
