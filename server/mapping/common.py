"""What all mappings share: times, durations, decimals, enums, and who is calling."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from domain.decimals import plain, settle
from domain.errors import InvalidArgument

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ACTOR: Final = 64
ACTOR_KEY: Final = "x-quantmesh-actor"
ANONYMOUS: Final = "user:anonymous"

EnumT = TypeVar("EnumT", bound=Enum)


def actor_of(context: Any) -> str:
    """Who calls, for the journal: "user:" and what the metadata x-quantmesh-actor says; it proves nothing."""
    for key, value in context.invocation_metadata():
        if key == ACTOR_KEY:
            if not (0 < len(value) <= _LONGEST_ACTOR and value.isascii() and value.isprintable()):
                raise InvalidArgument(ACTOR_KEY, f"must be 1 to {_LONGEST_ACTOR} printable ASCII characters")
            return f"user:{value}"
    return ANONYMOUS


def to_timestamp(at: datetime) -> Timestamp:
    since = at - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def to_optional_timestamp(at: datetime | None) -> Timestamp | None:
    return None if at is None else to_timestamp(at)


def from_timestamp(field: str, at: Timestamp) -> datetime:
    """`at` in UTC, down to the microsecond; InvalidArgument, naming `field`, for one beyond the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=at.seconds, microseconds=at.nanos // 1_000)
    except OverflowError:
        raise InvalidArgument(field, "must be a time between the years 1 and 9999") from None


def from_optional_timestamp(request: Any, field: str, path: str = "") -> datetime | None:
    """The field of `request` of that name, None when it is unset; `path` is how the contract spells it."""
    return from_timestamp(path or field, getattr(request, field)) if request.HasField(field) else None


def seconds_of(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def seconds_or(request: Any, field: str, default: float) -> float:
    """The duration field of `request` in seconds, `default` when it is unset."""
    return seconds_of(getattr(request, field)) if request.HasField(field) else default


def from_duration(duration: Duration) -> Decimal:
    """Seconds, exactly."""
    return Decimal(duration.seconds) + Decimal(duration.nanos).scaleb(-9)


def to_duration(seconds: Decimal) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole).scaleb(9)))


def decimal_or_empty(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def settled_or_empty(value: Decimal | None) -> str:
    """For what was computed: a product has more places than the wire carries."""
    return "" if value is None else plain(settle(value))


def enum_table(contract: Any, domain: type[EnumT], prefix: str) -> dict[EnumT, Any]:
    """The contract's number for each member of a domain enum whose names are the contract's without `prefix`."""
    return {member: contract.Value(f"{prefix}_{member.name}") for member in domain}


def optional_enum_table(contract: Any, domain: type[EnumT], prefix: str) -> dict[EnumT | None, Any]:
    """The same with None, which is the contract's unspecified."""
    return {None: 0, **{member: contract.Value(f"{prefix}_{member.name}") for member in domain}}


def reversed_table(table: dict[EnumT, Any]) -> dict[int, EnumT]:
    return {number: member for member, number in table.items()}
