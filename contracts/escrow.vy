# pragma version 0.4.3
"""
@title Escrow of one ERC-20 in numbered accounts
@license Apache-2.0
@notice Money enters by deposits, leaves by withdrawals after a delay, and otherwise only moves between accounts.
    Credit is counted in nano (billionths of the currency), tokens in their own units; one unit is `SCALE` nano.
@dev The law of this module: the credits of all accounts together are `tokens_held * SCALE`, to the nano.
    An account is one word: holder 160 bits (low), credit 64, epoch 32 (high). Accounts lie at numbered storage, not in a
    mapping, since the hot path then hashes nothing to find them.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

from . import pause
from . import reasons

uses: pause

MAX_CREDIT: constant(uint256) = 2**64 - 1  # nano
HOLDER: constant(uint256) = 2**160 - 1  # mask
EPOCH: constant(uint256) = 2**224  # one epoch, in place

TOKEN: immutable(IERC20)
SCALE: immutable(uint256)
WITHDRAWAL_DELAY: immutable(uint256)

account_count: public(uint256)
tokens_held: public(uint256)
accounts: uint256[2**32]
# amount in nano (low 64 bits), due in unix seconds above; zero when nothing was asked for
withdrawals: HashMap[uint256, uint256]


event AccountOpened:
    account: indexed(uint256)
    holder: indexed(address)


event Deposited:
    account: indexed(uint256)
    payer: indexed(address)
    token_units: uint256


event WithdrawalRequested:
    account: indexed(uint256)
    token_units: uint256
    due: uint256


event WithdrawalCancelled:
    account: indexed(uint256)


event Withdrawn:
    account: indexed(uint256)
    holder: indexed(address)
    token_units: uint256


@deploy
def __init__(token: address, withdrawal_delay: uint256):
    """
    @param token An ERC-20 with at most 9 decimals.
    @param withdrawal_delay Seconds between asking for money and getting it; at least as long as a gate closes before its
        session is settled, so that nobody empties an account in between.
    """
    assert token.is_contract, "escrow: token has no code"
    decimals: uint256 = convert(staticcall IERC20Detailed(token).decimals(), uint256)
    assert decimals <= 9, "escrow: too many decimals"
    assert withdrawal_delay < 2**32, "escrow: delay is too long"
    TOKEN = IERC20(token)
    SCALE = 10 ** (9 - decimals)
    WITHDRAWAL_DELAY = withdrawal_delay


@external
@view
def token() -> address:
    return TOKEN.address


@external
@view
def scale() -> uint256:
    """
    @return Nano per token unit.
    """
    return SCALE


@external
@view
def withdrawal_delay() -> uint256:
    """
    @return Seconds.
    """
    return WITHDRAWAL_DELAY


@external
@view
def account(number: uint256) -> (address, uint256, uint256):
    """
    @return Holder, credit in nano, and epoch of the account; zeros when there is none.
    """
    word: uint256 = self.accounts[number]
    return self._holder(word), self._credit(word), word >> 224


@external
@view
def credit_of(number: uint256) -> uint256:
    """
    @return Nano.
    """
    return self._credit(self.accounts[number])


@external
@view
def withdrawal(number: uint256) -> (uint256, uint256):
    """
    @return Requested amount in nano, and when it is due in unix seconds; zeros when nothing is requested.
    """
    word: uint256 = self.withdrawals[number]
    return word & MAX_CREDIT, word >> 64


@external
def open_account(holder: address) -> uint256:
    """
    @notice Open an account for `holder`; anybody may, and accounts are numbered from 1.
    """
    reasons._require(holder != empty(address), "escrow: holder is nobody")
    number: uint256 = self.account_count + 1
    reasons._require(number < 2**32, "escrow: no account number left")
    self.account_count = number
    self.accounts[number] = convert(holder, uint256)
    log AccountOpened(account=number, holder=holder)
    return number


@external
@nonreentrant
def deposit(number: uint256, token_units: uint256):
    """
    @notice Move `token_units` from the sender into the account.
    """
    self._deposit(number, token_units)


@external
@nonreentrant
def deposit_with_permit(number: uint256, token_units: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Deposit with an EIP-2612 permit in place of an approval.
    @dev A permit that somebody else has sent first, to be a nuisance, fails here but has left its allowance. So its failure is
        passed over and the transfer decides.
    """
    permitted: bool = raw_call(
        TOKEN.address,
        abi_encode(
            msg.sender, self, token_units, deadline, v, r, s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )
    reasons._require(
        permitted or staticcall TOKEN.allowance(msg.sender, self) >= token_units,
        "escrow: permit is not valid",
    )
    self._deposit(number, token_units)


@external
def request_withdrawal(number: uint256, token_units: uint256):
    """
    @notice Ask for up to `token_units`, due after the delay. A new request replaces the old one and waits anew.
    """
    self._only_holder(number)
    reasons._require(token_units != 0, "escrow: amount is zero")
    reasons._require(token_units <= MAX_CREDIT // SCALE, "escrow: amount is too large")
    due: uint256 = block.timestamp + WITHDRAWAL_DELAY
    self.withdrawals[number] = token_units * SCALE | due << 64
    log WithdrawalRequested(account=number, token_units=token_units, due=due)


@external
def cancel_withdrawal(number: uint256):
    """
    @notice Forget the request.
    """
    self._only_holder(number)
    reasons._require(self.withdrawals[number] != 0, "escrow: nothing is requested")
    self.withdrawals[number] = 0
    log WithdrawalCancelled(account=number)


@external
@nonreentrant
def withdraw(number: uint256):
    """
    @notice Pay the holder what was requested, or what is there if it is less. Anybody may trigger it, paused or not.
    @dev Rounds down to token units; the rest stays credit.
    """
    request: uint256 = self.withdrawals[number]
    reasons._require(request != 0, "escrow: nothing is requested")
    reasons._require(block.timestamp >= request >> 64, "escrow: not due yet")
    word: uint256 = self.accounts[number]
    token_units: uint256 = min(request & MAX_CREDIT, self._credit(word)) // SCALE
    self.withdrawals[number] = 0
    # no borrow: at most the credit is taken
    self.accounts[number] = word - (token_units * SCALE << 160)
    self.tokens_held -= token_units
    holder: address = self._holder(word)
    log Withdrawn(account=number, holder=holder, token_units=token_units)
    if token_units != 0:
        reasons._require(
            extcall TOKEN.transfer(holder, token_units, default_return_value=True),
            "escrow: token refused",
        )


@internal
def _deposit(number: uint256, token_units: uint256):
    pause._only_running()
    reasons._require(self._exists(number), "escrow: no such account")
    reasons._require(token_units != 0, "escrow: amount is zero")
    held: uint256 = self.tokens_held
    # all credits together fit in 64 bits, so each does, whoever trades with whom
    reasons._require(token_units <= MAX_CREDIT // SCALE - held, "escrow: amount is too large")
    before: uint256 = staticcall TOKEN.balanceOf(self)
    reasons._require(
        extcall TOKEN.transferFrom(msg.sender, self, token_units, default_return_value=True),
        "escrow: token refused",
    )
    reasons._require(staticcall TOKEN.balanceOf(self) == before + token_units, "escrow: token delivered less")
    self.tokens_held = held + token_units
    self.accounts[number] += token_units * SCALE << 160
    log Deposited(account=number, payer=msg.sender, token_units=token_units)


@internal
@view
def _only_holder(number: uint256):
    reasons._require(self._exists(number), "escrow: no such account")
    reasons._require(self._holder(self.accounts[number]) == msg.sender, "escrow: not the holder")


@internal
@view
def _exists(number: uint256) -> bool:
    return number != 0 and number <= self.account_count


@internal
@pure
def _holder(word: uint256) -> address:
    return convert(word & HOLDER, address)


@internal
@pure
def _credit(word: uint256) -> uint256:
    return word >> 160 & MAX_CREDIT
