"""What a failed call says for itself, read from its status as any client can."""

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

_REASONS: Final = Path(__file__).parents[2] / "proto/quantmesh/type/v1/error_reason.proto"
# Nothing of the implementation is a caller's business: no traceback, no class or file of ours or of a library's.
_LEAK: Final = re.compile(r"Traceback|\.py\b|\w(Error|Exception)\b|site-packages|object at 0x|<class |sqlite|asyncpg")


class Refusal(NamedTuple):
    """`fields` are those that a BadRequest names, `rules` those of a PreconditionFailure."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str]
    fields: list[str]
    rules: list[str]
    retry: bool


def refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """What a call that has failed says; fails unless it says it as the contract promises."""
    packed = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    assert len(packed) == 1, f"no status details: {error.code()}: {error.details()}"
    assert isinstance(packed[0], bytes)
    status = Status.FromString(packed[0])
    assert (error.code().value[0], error.details()) == (status.code, status.message)
    return read(status)


def read(status: Status) -> Refusal:
    """What `status` says; it may also have come in an answer."""
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    info, bad, failed, retry = ErrorInfo(), BadRequest(), PreconditionFailure(), RetryInfo()
    found = {type(kind): any(detail.Unpack(kind) for detail in status.details) for kind in (info, bad, failed, retry)}
    assert found[ErrorInfo]
    assert info.domain == "quantmesh"
    assert codes().get(info.reason) == code.name, f"{info.reason} with {code}"
    assert found[BadRequest] == (code is grpc.StatusCode.INVALID_ARGUMENT)
    assert found[PreconditionFailure] == (code is grpc.StatusCode.FAILED_PRECONDITION)
    assert status.message
    assert not _LEAK.search(str(status)), status
    return Refusal(
        code,
        info.reason,
        status.message,
        dict(info.metadata),
        [violation.field for violation in bad.field_violations],
        [violation.type for violation in failed.violations],
        found[RetryInfo],
    )


@cache
def codes() -> dict[str, str]:
    """The gRPC code of each reason: the first word of its comment in the contract."""
    text = _REASONS.read_text()
    return {reason: code for code, reason in re.findall(r"// ([A-Z_]+)\. [^;=]*?\n  ERROR_REASON_(\w+) =", text)}
