"""Refusals on the wire: one table from domain errors to gRPC codes, and the google.rpc.Status that explains each.

The status travels in the trailers, which peers accept up to 8 KiB only, so whatever a request could blow up is cut.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

from application.trading.placement import CheckFailed
from domain.errors import (
    AccessDenied,
    AlreadyExists,
    DomainError,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PreconditionFailed,
    Throttled,
    TooLarge,
    Unavailable,
    VersionMismatch,
)
from server.mapping.risk import check_message

DOMAIN: Final = "quantmesh"
DETAILS_KEY: Final = "grpc-status-details-bin"

MessageT = TypeVar("MessageT", bound=Message)

_LONGEST_TEXT: Final = 200
_LONGEST_MESSAGE: Final = 1_000
_LARGEST_VIOLATIONS: Final = 2_400
_LARGEST_STATUS: Final = 4_600
_RETRY_UNAVAILABLE_SECONDS: Final = 0.2


class FieldViolation(NamedTuple):
    """`field` is the path as the contract spells it."""

    field: str
    rule: str


class InvalidRequest(InvalidArgument):
    """A request that breaks several rules at once; `violations` has at least one."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        super().__init__(*violations[0])
        self.message = "; ".join(f"{field}: {rule}" for field, rule in violations)
        self.violations = tuple(violations)


class NotImplementedHere(DomainError):
    """The contract has the call, or the option; this server does not."""

    reason = "NOT_IMPLEMENTED"


class Defect(DomainError):
    """A defect of the server: the caller learns only the id under which the log has the rest."""

    reason = "INTERNAL"

    def __init__(self, error_id: str) -> None:
        super().__init__(f"internal error {error_id}: the server's log tells more", error_id=error_id)


# The most general last: an error is coded by the first class that it is of.
CODES: Final[tuple[tuple[type[DomainError], grpc.StatusCode], ...]] = (
    (InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (AccessDenied, grpc.StatusCode.PERMISSION_DENIED),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (VersionMismatch, grpc.StatusCode.ABORTED),
    (PreconditionFailed, grpc.StatusCode.FAILED_PRECONDITION),
    (OutOfRange, grpc.StatusCode.OUT_OF_RANGE),
    (Throttled, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (NotImplementedHere, grpc.StatusCode.UNIMPLEMENTED),
    (DomainError, grpc.StatusCode.INTERNAL),
)


def code_of(error: DomainError) -> grpc.StatusCode:
    return next(code for kind, code in CODES if isinstance(error, kind))


def status_of(error: DomainError, *details: Message) -> Status:
    """`error` as the contract reports it, `details` added to those that its class calls for."""
    # Anything but ASCII would be sent as three characters a byte.
    message = _cut(error.message.encode("ascii", "backslashreplace").decode(), _LONGEST_MESSAGE)
    status = Status(code=code_of(error).value[0], message=message)
    metadata = {key: _cut(value) for key, value in error.metadata.items()}
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    for detail in (info, *_explained(error), *details):
        packed = Any()
        packed.Pack(detail)
        if not status.details or status.ByteSize() + packed.ByteSize() <= _LARGEST_STATUS:
            status.details.append(packed)
    return status


def _explained(error: DomainError) -> list[Message]:
    if isinstance(error, CheckFailed):
        return [_precondition_failure(error), check_message(error.check)]
    if isinstance(error, InvalidArgument):
        return [_bad_request(error)]
    if isinstance(error, PreconditionFailed):
        return [_precondition_failure(error)]
    if isinstance(error, Throttled):
        return [_retry_info(error.retry_after_seconds)]
    if isinstance(error, Unavailable):
        return [_retry_info(_RETRY_UNAVAILABLE_SECONDS)]
    return []


def _bad_request(error: InvalidArgument) -> BadRequest:
    broken = error.violations if isinstance(error, InvalidRequest) else (FieldViolation(error.field, error.rule),)
    return BadRequest(
        field_violations=_fitting(
            BadRequest.FieldViolation(field=_cut(field), description=_cut(rule)) for field, rule in broken
        )
    )


def _precondition_failure(error: PreconditionFailed) -> PreconditionFailure:
    return PreconditionFailure(
        violations=_fitting(
            PreconditionFailure.Violation(
                type=violation.rule, subject=_cut(violation.subject), description=_cut(violation.description)
            )
            for violation in error.violations
        )
    )


def _fitting(violations: Iterable[MessageT]) -> list[MessageT]:
    """The first of them, at least one, that together are small enough."""
    fitting: list[MessageT] = []
    size = 0
    for violation in violations:
        size += violation.ByteSize()
        if fitting and size > _LARGEST_VIOLATIONS:
            break
        fitting.append(violation)
    return fitting


def _retry_info(seconds: float) -> RetryInfo:
    delay = Duration()
    delay.FromMilliseconds(int(seconds * 1000))
    return RetryInfo(retry_delay=delay)


def _cut(text: str, longest: int = _LONGEST_TEXT) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
