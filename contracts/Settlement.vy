# pragma version 0.4.3
# pragma evm-version london
"""
@title Merit's settlement
@license Apache-2.0
@notice Holds one ERC-20 in escrow and settles the sessions of local energy markets. It believes nobody: the operator brings
    signed orders and the trades made of them, and every signature, limit, fill and fee is checked again before money moves.
@dev Energy is in Wh, a rate in micro per kWh and signed, money in nano; so energy times rate is money, exactly.
    `settle` is one long function on purpose: calls and wide checks cost gas, order by order and trade by trade. About
    three quarters of what it costs is the machine's floor: calldata, one recovery and two cold words an order.
    A number is read as signed by way of bytes32, which costs nothing and keeps its bits.
"""

from . import assets
from . import clearing
from . import delegates
from . import escrow
from . import fees as fee_rows
from . import markets
from . import order_digest
from . import pause as pausing
from . import reasons
from . import roles
from . import sessions

initializes: roles
initializes: pausing[roles := roles]
initializes: escrow[pause := pausing]
initializes: assets[escrow := escrow]
initializes: delegates[assets := assets, escrow := escrow]
initializes: markets[assets := assets, escrow := escrow]
initializes: order_digest
initializes: sessions
initializes: clearing[escrow := escrow, pause := pausing, roles := roles]
initializes: fee_rows[escrow := escrow, markets := markets, sessions := sessions]

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
    delegates.did_registry,
    delegates.epoch_ended,
    delegates.void_orders,
    assets.asset_registry,
    assets.role_registry,
    assets.asset_role,
    assets.balancing_role,
    assets.cache_seconds,
    assets.asset_count,
    assets.asset_of,
    assets.epoch_of,
    assets.asset,
    assets.enrol,
    assets.refresh,
    markets.grid_operator_role,
    markets.market,
    markets.open_market,
    order_digest.domain_separator,
    order_digest.digest_of,
    sessions.record,
    sessions.record_of,
    sessions.parts_settled,
    sessions.filled,
    clearing.clearer,
    clearing.name_clearer,
    clearing.move,
)

MAX_ORDERS: constant(uint256) = 512
MAX_TRADES: constant(uint256) = 512
ORDER_BYTES: constant(uint256) = 128

U16: constant(uint256) = 2**16 - 1  # masks
U32: constant(uint256) = 2**32 - 1
U40: constant(uint256) = 2**40 - 1
U48: constant(uint256) = 2**48 - 1
U64: constant(uint256) = 2**64 - 1
U160: constant(uint256) = 2**160 - 1
U255: constant(uint256) = 2**255 - 1
UNUSED: constant(uint256) = U16 << 240 | 254 << 200  # of an order's terms
BALANCING_UP: constant(uint256) = 3  # products; 1 is spot, 2 and 5 are kept for what trades before it and after delivery
BALANCING_DOWN: constant(uint256) = 4
INDEX: constant(uint256) = MAX_ORDERS - 1  # a mask, since it is a power of two
ROW: constant(uint256) = fee_rows.MAX_ROWS - 1  # so is this
UNUSED_OF_TRADE: constant(uint256) = (2**80 - 1) << 176 | (U16 - INDEX) << 160 | (U16 - INDEX) << 144 | U48 - ROW
RATE: constant(uint256) = U48 << 48  # of a trade
CREDIT: constant(uint256) = U64 << 160  # of an account
# An entry is an order as the trades use it up: limit 48 bits (low), energy left 48, side 8, account 32; net money from bit 160.
TERMS: constant(uint256) = 2**104 - 1
OFFERS: constant(uint256) = 2**96
ACCOUNT: constant(uint256) = U32 << 104
NET: constant(uint256) = U64 << 160 | U32 << 224


@deploy
def __init__(
    token: address,
    admin: address,
    withdrawal_delay: uint256,
    did_registry: address,
    asset_registry: address,
    role_registry: address,
    asset_role: bytes32,
    balancing_role: bytes32,
    grid_operator_role: bytes32,
    cache_seconds: uint256,
):
    """
    @param token The ERC-20 to hold, of at most 9 decimals.
    @param admin Who grants the first roles.
    @param withdrawal_delay Seconds from asking for money to getting it.
    @param did_registry Who may sign for an asset: any ERC-1056 registry.
    @param asset_registry Whose an asset is.
    @param role_registry Who holds a role. The three roles are nodes (namehashes) in it.
    @param asset_role What every asset here must hold.
    @param balancing_role What an asset must hold to offer balancing.
    @param grid_operator_role What its sender must hold to open a market.
    @param cache_seconds For how long the say of the asset and role registries is used without asking again.
    """
    roles.__init__(admin)
    escrow.__init__(token, withdrawal_delay)
    assets.__init__(asset_registry, role_registry, asset_role, balancing_role, cache_seconds)
    delegates.__init__(did_registry)
    markets.__init__(grid_operator_role)
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
    fees: uint256,
):
    """
    @notice Settle a session, or the next part of it, wholly or not at all.
    @param part Counted from 0.
    @param order_root Root of all orders the session admitted, matched or not; recorded, not checked.
    @param parameters Hash of what the session was cleared by; recorded, not checked.
    @param orders Where the orders begin, counted from the end of the selector, in strictly ascending order of digest. So the
        arguments are encoded as if this were a SignedOrder[] of (uint256 terms, bytes32 preferences, bytes32 r, bytes32 vs);
        declared as one, it would be copied to memory at its bound, which is dear for small batches.
        Terms, from the high bits: 16 zero bits, asset 32, side 8, energy 48, limit 48, valid until 40, salt 64.
        The signature has the form of EIP-2098.
    @param trades From the high bits: 80 zero bits, index of the bid 16, of the offer 16, energy 48, rate 48, place of the fee
        row 48. The seller gets the rate, the account of each node in the row what the row says, and the buyer pays it all.
    @param fees Where the fee rows begin, one after the other, as if this were a uint256[]; see fees.vy.
    """
    pausing._only_running()
    reasons._require(roles._has(roles.OPERATOR), "roles: not an operator")
    market_id: uint256 = convert(market, uint256)
    product_id: uint256 = convert(product, uint256)
    start: uint256 = convert(delivery_start, uint256)
    session: uint256 = market_id << 48 | product_id << 40 | start
    market_terms: uint256 = markets.markets[market_id]
    gate_closure: uint256 = markets._gate_closure(market_terms, start)
    # What an asset's word must reach: as a current one, and, if it offers balancing, as a provider. Both stand at the top of a
    # word, so that the word need not be taken apart; elsewhere than in balancing anything reaches far enough. The product is
    # checked: from 2106 on, when a time has more than 32 bits, nothing is settled.
    current: uint256 = gate_closure * 2**224
    provider: uint256 = 0
    if product_id == BALANCING_UP or product_id == BALANCING_DOWN:
        provider = current
    sessions._begin(session, convert(part, uint256), convert(parts, uint256), order_root, parameters)

    count: uint256 = 0
    cursor: uint256 = 0
    fee_words: uint256 = 0
    fees_begin: uint256 = 0
    count, cursor = self._array(orders, ORDER_BYTES)
    fee_words, fees_begin = self._array(fees, 32)
    reasons._require(count <= MAX_ORDERS, "orders: too many")
    domain: bytes32 = order_digest._domain()
    previous: uint256 = 0
    # of each order, its entry and its digest; together, since each access by index costs a check of the bound
    book: uint256[2][MAX_ORDERS] = empty(uint256[2][MAX_ORDERS])
    for i: uint256 in range(count, bound=MAX_ORDERS):
        # terms, preferences, r, vs
        words: uint256[4] = abi_decode(slice(msg.data, cursor, ORDER_BYTES), uint256[4])
        cursor = unsafe_add(cursor, ORDER_BYTES)
        asset: uint256 = assets.assets[words[0] >> 208 & U32]
        # order_digest._digest, written out: a call would cost 250 gas an order; tests hold the two together
        digest: bytes32 = keccak256(
            concat(
                0x1901,
                domain,
                keccak256(
                    abi_encode(
                        order_digest.ORDER_TYPE,
                        asset & U160,
                        market_id,
                        product_id,
                        words[0] >> 200 & 1,
                        start,
                        words[0] >> 152 & U48,
                        convert(convert(words[0] << 104, bytes32), int256) >> 208,
                        words[1],
                        words[0] >> 64 & U40,
                        words[0] & U64,
                    )
                ),
            )
        )
        # One branch for seven checks: only what is refused pays for its name.
        if (
            words[0] & UNUSED
            | convert(words[0] >> 152 & U48 == 0, uint256)
            | convert(words[0] >> 64 & U40 < gate_closure, uint256)
            | convert(asset << 32 < current, uint256)
            | convert(asset < provider, uint256) & words[0] >> 200
            | convert(convert(digest, uint256) <= previous, uint256)
            | convert(words[3] << 1 > order_digest.MAX_TWICE_S, uint256)
        ) != 0:
            self._refuse_order(words[0], asset, gate_closure, provider, convert(digest, uint256) > previous)
        previous = convert(digest, uint256)
        # the signer and the order's epoch, where an account has its holder and its epoch
        signed: uint256 = (
            convert(ecrecover(digest, unsafe_add(27, words[3] >> 255), words[2], words[3] & U255), uint256)
            | words[0] >> 32 << 224
        )
        if (signed ^ escrow.accounts[asset >> 160 & U32]) & ~CREDIT != 0:
            delegates._check(signed, words[0] >> 208 & U32, asset, gate_closure)
        book[i] = [words[0] >> 104 & TERMS | asset >> 56 & ACCOUNT, convert(digest, uint256)]

    # if there are several parts, and only then, an order outlives its batch
    several: bool = parts != 1
    if several:
        for i: uint256 in range(count, bound=MAX_ORDERS):
            # no borrow: never more is filled than was ordered
            book[i][0] = unsafe_sub(book[i][0], sessions.filled[convert(book[i][1], bytes32)] << 48)

    # of each fee row, what is known of it (see fees.vy) and its hash
    rows: uint256[2][fee_rows.MAX_ROWS] = empty(uint256[2][fee_rows.MAX_ROWS])
    row_count: uint256 = 0
    cursor = fees_begin
    fees_end: uint256 = unsafe_add(fees_begin, unsafe_mul(fee_words, 32))
    for i: uint256 in range(fee_rows.MAX_ROWS):
        if cursor == fees_end:
            break
        total: uint256 = 0
        hash: bytes32 = empty(bytes32)
        total, hash, cursor = fee_rows._read(cursor, fees_end)
        rows[i] = [total, convert(hash, uint256)]
        row_count = unsafe_add(i, 1)
    reasons._require(cursor == fees_end, "fees: too many rows")

    energy_wh: uint256 = 0
    value_nano: uint256 = 0
    leaves: bytes32[MAX_TRADES] = empty(bytes32[MAX_TRADES])
    size: uint256 = 0
    for trade: uint256 in trades:
        bid_index: uint256 = trade >> 160 & INDEX
        offer_index: uint256 = trade >> 144 & INDEX
        bid: uint256[2] = book[bid_index]
        offer: uint256[2] = book[offer_index]
        energy: uint256 = trade >> 96 & U48
        rate: int256 = convert(convert(trade << 160, bytes32), int256) >> 208
        row: uint256[2] = rows[trade & ROW]
        # One branch again. An index past the last order finds an empty entry, which is no offer and has no energy.
        if (
            trade & UNUSED_OF_TRADE
            | (bid[0] | ~offer[0]) & OFFERS
            | convert((bid[0] ^ offer[0]) >> 104 & U32 == 0, uint256)
            | convert(energy == 0, uint256)
            | convert(energy > bid[0] >> 48 & U48, uint256)
            | convert(energy > offer[0] >> 48 & U48, uint256)
            | convert(row[1] == 0, uint256)
            | convert(rate < convert(convert(offer[0] << 208, bytes32), int256) >> 208, uint256)
            | convert(
                unsafe_add(rate, convert(convert(row[0] & U64, bytes32), int256))
                > convert(convert(bid[0] << 208, bytes32), int256) >> 208,
                uint256,
            )
        ) != 0:
            self._refuse_trade(trade, bid[0], offer[0], row[1] != 0, count)
        # Bounds: energy is below 2**48, the rate within 48 bits, and so is what the buyer pays, by its limit; so an amount is
        # within 96 bits, and so is an order's net, since its fills together are below 2**48; sums over 512 trades stay far
        # below 2**255. Those of energy, of the batch and of a row, are below 2**57.
        value: uint256 = unsafe_mul(energy, convert(convert(rate, bytes32), uint256))
        book[offer_index][0] = unsafe_add(unsafe_sub(offer[0], energy << 48), value << 160)
        book[bid_index][0] = unsafe_sub(
            unsafe_sub(bid[0], energy << 48), unsafe_add(value, unsafe_mul(energy, row[0] & U64)) << 160
        )
        rows[trade & ROW][0] = unsafe_add(row[0], energy << 64) | (trade & RATE) << 80 | (~trade & RATE) << 128
        energy_wh = unsafe_add(energy_wh, energy)
        value_nano = unsafe_add(value_nano, value)
        leaves[size] = keccak256(keccak256(abi_encode(session, bid[1], offer[1], energy, rate, row[1])))
        size = unsafe_add(size, 1)
    if several:
        for trade: uint256 in trades:
            sessions.filled[convert(book[trade >> 160][1], bytes32)] += trade >> 96 & U48
            sessions.filled[convert(book[trade >> 144 & INDEX][1], bytes32)] += trade >> 96 & U48

    # The shape of OpenZeppelin's StandardMerkleTree: a queue, two out, their parent in, where there is place again.
    root: bytes32 = keccak256(b"")
    if size != 0:
        left: uint256 = 0
        for k: uint256 in range(unsafe_sub(size, 1), bound=MAX_TRADES):
            right: uint256 = unsafe_add(left, 1)
            if right >= size:
                # past the last leaf the queue goes on at the front, with the first parents
                right = unsafe_sub(right, size)
                if left == size:
                    left = 0
            a: uint256 = convert(leaves[left], uint256)
            b: uint256 = convert(leaves[right], uint256)
            left = unsafe_add(right, 1)
            if a < b:
                leaves[k] = keccak256(abi_encode(a, b))
            else:
                leaves[k] = keccak256(abi_encode(b, a))
        root = leaves[size - 2 if size > 1 else 0]
    sessions.records[session << 16 | convert(part, uint256)] = sessions._record(
        order_root, root, parameters, convert(parts, uint256)
    )

    # What is earned here may be spent here: who cannot pay yet waits until all others have paid and been paid.
    fee_nano: uint256 = 0
    cursor = fees_begin
    top: uint256 = 0
    price: int256 = 0
    for i: uint256 in range(row_count, bound=fee_rows.MAX_ROWS):
        row: uint256 = rows[i][0]
        # no more than 57 and 53 bits
        fee_nano = unsafe_add(fee_nano, unsafe_mul(row & U64, row >> 64 & U64))
        cursor, top, price = fee_rows._pay(session, several, market_terms >> 177, row, cursor, top, price)
    waiting: uint256 = 0
    for i: uint256 in range(count, bound=MAX_ORDERS):
        entry: uint256 = book[i][0]
        if entry >> 160 != 0:
            account: uint256 = escrow.accounts[entry >> 104 & U32]
            if unsafe_add(
                convert(convert(account >> 160 & U64, bytes32), int256), convert(convert(entry, bytes32), int256) >> 160
            ) >> 64 == 0:
                # the credit stays within its 64 bits, so holder and epoch beside it stay as they are
                escrow.accounts[entry >> 104 & U32] = unsafe_add(account, entry & NET)
            else:
                if entry >> 255 != 1:
                    reasons._refuse("money: credit is too large")
                book[waiting][0] = entry
                waiting = unsafe_add(waiting, 1)
    for i: uint256 in range(waiting, bound=MAX_ORDERS):
        entry: uint256 = book[i][0]
        account: uint256 = escrow.accounts[entry >> 104 & U32]
        if unsafe_add(convert(account >> 160 & U64, int256), convert(convert(entry, bytes32), int256) >> 160) < 0:
            reasons._refuse("money: credit is short")
        escrow.accounts[entry >> 104 & U32] = unsafe_add(account, entry & NET)
    log sessions.Settled(
        session=session,
        part=convert(part, uint256),
        parts=convert(parts, uint256),
        order_root=order_root,
        trade_root=root,
        parameters=parameters,
        orders=count,
        trades=size,
        energy_wh=energy_wh,
        value_nano=convert(convert(value_nano, bytes32), int256),
        fee_nano=fee_nano,
    )


@internal
@view
def _array(offset: uint256, item_bytes: uint256) -> (uint256, uint256):
    """
    @return How many items an array in the calldata has, and where the first begins.
    """
    reasons._require(offset <= U32 and unsafe_add(offset, 36) <= len(msg.data), "settle: calldata is short")
    count: uint256 = extract32(slice(msg.data, unsafe_add(offset, 4), 32), 0, output_type=uint256)
    begin: uint256 = unsafe_add(offset, 36)
    # more items than a number of 32 bits counts are in no calldata, and a product of such numbers does not overflow
    reasons._require(
        count <= U32 and unsafe_add(begin, unsafe_mul(count, item_bytes)) <= len(msg.data), "settle: calldata is short"
    )
    return count, begin


@internal
@pure
def _refuse_order(terms: uint256, asset: uint256, gate_closure: uint256, provider: uint256, ascending: bool):
    """
    @dev Names what is wrong with an order; the caller has found that something is.
    """
    reasons._require(terms & UNUSED == 0, "orders: unused bits are set")
    reasons._require(terms >> 152 & U48 != 0, "orders: energy is zero")
    reasons._require(terms >> 64 & U40 >= gate_closure, "orders: expired")
    reasons._require(asset >> 192 & U32 >= gate_closure, "assets: not current")
    reasons._require(terms >> 200 & 1 == 0 or asset >= provider, "assets: not a balancing provider")
    reasons._require(ascending, "orders: not ascending")
    reasons._refuse("orders: s is high")


@internal
@pure
def _refuse_trade(trade: uint256, bid: uint256, offer: uint256, has_row: bool, count: uint256):
    """
    @dev Names what is wrong with a trade; the caller has found that something is.
    """
    energy: uint256 = trade >> 96 & U48
    reasons._require(trade >> 160 < count and trade >> 144 & U16 < count, "trades: no such order")
    reasons._require(bid & OFFERS == 0 and offer & OFFERS != 0, "trades: sides are wrong")
    reasons._require((bid ^ offer) >> 104 & U32 != 0, "trades: with oneself")
    reasons._require(energy != 0, "trades: energy is zero")
    reasons._require(energy <= bid >> 48 & U48, "trades: bid is used up")
    reasons._require(energy <= offer >> 48 & U48, "trades: offer is used up")
    reasons._require(has_row and trade & U48 <= ROW, "trades: no such row")
    reasons._require(
        convert(convert(trade << 160, bytes32), int256) >> 208 >= convert(convert(offer << 208, bytes32), int256) >> 208,
        "trades: rate is below the offer",
    )
    reasons._refuse("trades: rate is above the bid")
