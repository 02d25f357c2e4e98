# pragma version 0.4.3
# pragma evm-version london
"""
@title A contract that calls back whoever calls it, as it was told
@license Apache-2.0
"""

target: address
calldata: Bytes[1024]
succeeded: public(bool)


@external
def prepare(target: address, calldata: Bytes[1024]):
    """
    @notice Remember what to call when called.
    """
    self.target = target
    self.calldata = calldata


@external
@payable
def __default__():
    """
    @notice Make the call, and remember whether it was taken.
    """
    self.succeeded = raw_call(self.target, self.calldata, revert_on_failure=False)
