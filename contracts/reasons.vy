# pragma version 0.4.3
"""
@title A refusal with its reason, said in one place
@license Apache-2.0
@notice An assertion with a reason takes some 130 bytes of code wherever it stands; a call from there takes about 60. So it is
    done where a contract is near the bound of its size: `_require` where gas does not matter, and `_refuse` behind a branch
    where it does.
"""


@internal
@pure
def _require(holds: bool, reason: String[32]):
    if not holds:
        self._refuse(reason)


@internal
@pure
def _refuse(reason: String[32]):
    raise reason
