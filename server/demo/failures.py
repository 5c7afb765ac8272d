"""What can go wrong, in words for whoever ran the demo."""

from collections.abc import Sequence
from typing import NamedTuple

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure
from google.rpc.status_pb2 import Status


class DemoFailed(Exception):
    """The demo cannot go on, or has found something that must not be; the message says what."""


class Refusal(NamedTuple):
    """A google.rpc.Status, read. `rules` are the codes of the pre-trade rules that failed, if any did."""

    code: str
    reason: str
    rules: Sequence[str]
    message: str

    def __str__(self) -> str:
        return f"{self.code}, {self.reason}: {self.message}"


def refusal_in(error: grpc.aio.AioRpcError) -> Refusal:
    """What a failed call says, from the status in its trailers."""
    trailers = error.trailing_metadata()
    packed = next((value for key, value in trailers if key == "grpc-status-details-bin"), b"")
    status = Status.FromString(packed if isinstance(packed, bytes) else packed.encode())
    return read_status(status, error.code().name, error.details() or "")


def read_status(status: Status, code: str = "", message: str = "") -> Refusal:
    reason, rules = "no reason given", list[str]()
    for detail in status.details:
        info, failure = ErrorInfo(), PreconditionFailure()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(failure):
            rules += [violation.type for violation in failure.violations]
    return Refusal(code or str(status.code), reason, rules, status.message or message)
