"""How another quantmesh refuses, told as this one tells it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from adapters.market_data.provider_errors import not_capable, not_configured, rate_limited, unavailable
from adapters.market_data.remote_settings import NAME, REMEDY
from domain.errors import DomainError, Unavailable

_log = logging.getLogger(__name__)

_DOMAIN = "quantmesh"
_DETAILS_KEY = "grpc-status-details-bin"
_ABSENT = frozenset({"INSTRUMENT_NOT_FOUND", "MARKET_DATA_NOT_FOUND"})
_LONGEST_TEXT = 300

DetailT = TypeVar("DetailT", bound=Message)
_Make: TypeAlias = Callable[[str, Status], DomainError]


def failure(status: Status) -> DomainError | None:
    """What to raise for a request that failed so; None where there is no such instrument, quote or book.

    Only what a quantmesh says is repeated: what the transport says of a failure is for the log.
    """
    info = _detail(status, ErrorInfo)
    known = info is not None and info.domain == _DOMAIN
    reason = info.reason if info is not None and known else ""
    if reason in _ABSENT:
        return None
    if not known:
        _log.info("%s: code %d: %s", NAME, status.code, status.message[:_LONGEST_TEXT])
    make = _BY_REASON.get(reason) or _BY_CODE.get(status.code, _unavailable("its server failed"))
    return make(status.message if known else "", status)


def status_of(error: grpc.aio.AioRpcError) -> Status:
    """The google.rpc.Status of a failed call; without details where none came."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:
                break
    return Status(code=error.code().value[0], message=error.details() or "")


def nonsense() -> Unavailable:
    return unavailable(NAME, "its server's answer makes no sense")


@contextmanager
def making_sense() -> Iterator[None]:
    """What cannot be read of an answer is nonsense: Unavailable."""
    try:
        yield
    except (ValueError, KeyError, OverflowError) as error:
        _log.warning("%s: an answer makes no sense: %r", NAME, error)
        raise nonsense() from error


def _detail(status: Status, kind: type[DetailT]) -> DetailT | None:
    for packed in status.details:
        detail = kind()
        try:
            if packed.Unpack(detail):
                return detail
        except DecodeError:
            return None
    return None


def _rate_limited(said: str, status: Status) -> DomainError:
    retry = _detail(status, RetryInfo)
    return rate_limited(NAME, None if retry is None else retry.retry_delay.ToTimedelta().total_seconds())


def _unavailable(otherwise: str) -> _Make:
    return lambda said, status: unavailable(NAME, said or otherwise)


def _not_capable(otherwise: str) -> _Make:
    return lambda said, status: not_capable(NAME, said or otherwise)


def _refused(said: str, status: Status) -> DomainError:
    return not_configured(NAME, said or "its server refuses this caller", REMEDY)


_BY_REASON: dict[str, _Make] = {
    "RATE_LIMITED": _rate_limited,
    "QUOTA_EXCEEDED": _rate_limited,
    "PROVIDER_NOT_CONFIGURED": lambda said, status: not_configured(NAME, said, "set it at that server"),
}

_BY_CODE: dict[int, _Make] = {
    code.value[0]: make
    for code, make in (
        (grpc.StatusCode.INVALID_ARGUMENT, _not_capable("its server does not take the request")),
        (grpc.StatusCode.FAILED_PRECONDITION, _not_capable("its server does not have it")),
        (grpc.StatusCode.OUT_OF_RANGE, _not_capable("its server does not have it")),
        (grpc.StatusCode.UNIMPLEMENTED, _not_capable("its server does not serve market data")),
        (grpc.StatusCode.UNAUTHENTICATED, _refused),
        (grpc.StatusCode.PERMISSION_DENIED, _refused),
        (grpc.StatusCode.DEADLINE_EXCEEDED, _unavailable("its server did not answer in time")),
        (grpc.StatusCode.UNAVAILABLE, _unavailable("its server cannot be reached")),
    )
}
