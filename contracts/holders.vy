# pragma version 0.4.3
"""
@title Who holds a role, now and at any time
@license Apache-2.0
@notice Who has a role is not what a record once said. It is asked anew at each question, up the whole chain: not expired, not
    revoked, not sold with the asset, and issued by somebody who is listed or holds the issuer's role itself.
@dev Records are only ever added (by `claims.vy`), so `hasRoleAt` is exact for times past, as definitions and listed issuers are now.
"""

from . import namespaces
from . import speakers

uses: namespaces
uses: speakers

interface AssetRegistry:
    def epoch_ended(asset: address, epoch: uint256) -> uint256: view


MAX_CHAIN: constant(uint256) = 8  # claims from a subject up to one of a listed issuer, the subject's included
U32: constant(uint256) = 2**32 - 1
U64: constant(uint256) = 2**64 - 1
U160: constant(uint256) = 2**160 - 1


struct Claim:
    version: uint256
    registered_at: uint256
    expiry: uint256
    issuer: address
    data: bytes32
    epoch: uint256
    revoked_at: uint256


struct Record:
    who: uint256  # issuer 160 bits (low), version 32, epoch 64
    when: uint256  # registered at 64 bits (low), expiry 64, revoked at 64, block of the revocation 64
    data: bytes32
    revoker: address


# role -> subject -> how many claims were registered; they are numbered from 1
claim_count: public(HashMap[bytes32, HashMap[address, uint256]])
records: HashMap[bytes32, HashMap[address, HashMap[uint256, Record]]]


@external
@view
def hasRole(subject: address, role: bytes32, version: uint256) -> bool:
    """
    @return Whether the subject has the role now, in this version or a later one (0: in any).
    """
    return self._held(subject, role, version, block.timestamp)


@external
@view
def hasRoleAt(subject: address, role: bytes32, version: uint256, time: uint256) -> bool:
    """
    @return Whether the subject had the role at `time`, or will have it if nothing more happens.
    """
    return self._held(subject, role, version, time)


@external
@view
def held_until(subject: address, role: bytes32) -> uint256:
    """
    @notice Until when, as things are known now, the subject's newest claim holds.
    @return The last second before one of the claims from the subject up to a listed issuer ends; 0 when there is no such chain, or
        the role is not held at that second either.
    """
    identity: address = subject
    node: bytes32 = role
    begin: uint256 = 0
    last: uint256 = max_value(uint256)
    for _: uint256 in range(MAX_CHAIN):
        number: uint256 = self.claim_count[node][identity]
        if number == 0:
            return 0
        record: Record = self.records[node][identity][number]
        begin = max(begin, record.when & U64)
        last = min(last, self._end(node, identity, record) - 1)
        issuer: address = convert(record.who & U160, address)
        listed: bool = False
        issuer_role: bytes32 = empty(bytes32)
        listed, issuer_role = namespaces._issuing(node, issuer)
        if listed:
            # one of the newest claims may have begun after another had ended; then older ones decide
            if last >= begin or self._held(subject, role, 0, last):
                return last
            return 0
        if issuer_role == empty(bytes32):
            return 0
        identity = issuer
        node = issuer_role
    return 0


@external
@view
def claim(subject: address, role: bytes32) -> Claim:
    """
    @return The subject's present claim, whatever became of it; zeros when there is none. It is no proof of anything: ask `hasRole`.
    """
    return self._claim(subject, role, self.claim_count[role][subject])


@external
@view
def claim_at(subject: address, role: bytes32, number: uint256) -> Claim:
    """
    @return The subject's claim of that number, from 1 to `claim_count`.
    """
    return self._claim(subject, role, number)


@external
@view
def isRevoked(role: bytes32, subject: address) -> bool:
    """
    @return Whether the subject's present claim was revoked.
    """
    return self.records[role][subject][self.claim_count[role][subject]].revoker != empty(address)


@external
@view
def getRevocationDetail(role: bytes32, subject: address) -> (address, uint256):
    """
    @return Who revoked the subject's present claim, and in which block, as Energy Web answers; zeros when nobody did.
    """
    record: Record = self.records[role][subject][self.claim_count[role][subject]]
    return record.revoker, record.when >> 192


@internal
@view
def _held(subject: address, role: bytes32, version: uint256, time: uint256) -> bool:
    """
    @dev Goes up from the subject to a listed issuer. A chain that is longer than `MAX_CHAIN`, as every circle is, holds nothing.
    """
    identity: address = subject
    node: bytes32 = role
    for i: uint256 in range(MAX_CHAIN):
        number: uint256 = self._number_at(node, identity, time)
        if number == 0:
            return False
        record: Record = self.records[node][identity][number]
        if time >= self._end(node, identity, record) or (i == 0 and record.who >> 160 & U32 < version):
            return False
        issuer: address = convert(record.who & U160, address)
        listed: bool = False
        issuer_role: bytes32 = empty(bytes32)
        listed, issuer_role = namespaces._issuing(node, issuer)
        if listed or issuer_role == empty(bytes32):
            return listed
        identity = issuer
        node = issuer_role
    return False


@internal
@view
def _is_prepared(role: bytes32, subject: address) -> bool:
    """
    @return Whether the subject holds what the role asks for.
    """
    if len(namespaces.roles[role].prerequisites) == 0:
        return True
    all_of_them: bool = namespaces._needs_all(role)
    for needed: bytes32 in namespaces.roles[role].prerequisites:
        if self._held(subject, needed, 0, block.timestamp) != all_of_them:
            return not all_of_them
    return all_of_them


@internal
@view
def _may_issue(role: bytes32, issuer: address) -> bool:
    listed: bool = False
    issuer_role: bytes32 = empty(bytes32)
    listed, issuer_role = namespaces._issuing(role, issuer)
    return listed or (issuer_role != empty(bytes32) and self._held(issuer, issuer_role, 0, block.timestamp))


@internal
@view
def _number_at(role: bytes32, subject: address, time: uint256) -> uint256:
    """
    @return Number of the newest claim that was registered by `time`; 0 when there was none.
    """
    above: uint256 = self.claim_count[role][subject]
    if self.records[role][subject][above].when & U64 <= time:
        return above
    # claims are in order of time; the number sought is at least `below`, and less than `above`
    below: uint256 = 0
    for _: uint256 in range(256):
        if below + 1 >= above:
            break
        middle: uint256 = (below + above) // 2
        if self.records[role][subject][middle].when & U64 <= time:
            below = middle
        else:
            above = middle
    return below


@internal
@view
def _end(role: bytes32, subject: address, record: Record) -> uint256:
    """
    @return The first second at which the claim by itself holds no more, as known now.
    """
    end: uint256 = record.when >> 64 & U64
    revoked_at: uint256 = record.when >> 128 & U64
    if revoked_at != 0:
        end = min(end, revoked_at)
    epoch: uint256 = record.who >> 192
    if epoch != 0 and namespaces._ends_at_sale(role):
        ended: uint256 = staticcall AssetRegistry(speakers.asset_registry).epoch_ended(subject, epoch)
        if ended != 0:
            end = min(end, ended)
    return end


@internal
@view
def _claim(subject: address, role: bytes32, number: uint256) -> Claim:
    record: Record = self.records[role][subject][number]
    return Claim(
        version=record.who >> 160 & U32,
        registered_at=record.when & U64,
        expiry=record.when >> 64 & U64,
        issuer=convert(record.who & U160, address),
        data=record.data,
        epoch=record.who >> 192,
        revoked_at=record.when >> 128 & U64,
    )
