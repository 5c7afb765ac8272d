"""What the domain refuses, as a tree. `reason` is the stable code that callers program against.

DomainError
├── InvalidArgument      the request is malformed: a field breaks a rule
├── NotFound             no such order
├── AccessDenied         no such account, or no grant for it (callers must not tell these apart)
├── AlreadyExists        the id is taken by other content
├── VersionMismatch      the resource changed since the caller read it
├── PreconditionFailed   well-formed, but refused by a rule or by the order's state
│   └── OrderNotPlaced   the same for a new order, which is kept as REJECTED
├── OutOfRange           a cursor that lies before or behind what exists
├── Throttled            too many requests: wait, then repeat
├── TooLarge             more at a time than is taken
└── Unavailable          nothing was changed: safe to repeat the same request
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class DomainError(Exception):
    """Base of all refusals. `message` is written for the caller; `metadata` names the things involved."""

    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str | None = None, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata: Mapping[str, str] = metadata


class InvalidArgument(DomainError):
    """`field` is the path as the contract spells it, for example `order.limit.price`."""

    reason = "INVALID_REQUEST"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class NotFound(DomainError):
    reason = "ORDER_NOT_FOUND"


class AccessDenied(DomainError):
    reason = "ACCOUNT_NOT_AVAILABLE"


class AlreadyExists(DomainError):
    reason = "CLIENT_ORDER_ID_REUSED"


class VersionMismatch(DomainError):
    reason = "VERSION_MISMATCH"


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that failed: its code, what it was held against, and a sentence with value and limit.

    `value` and `limit` are decimals in `unit`, or words; empty where there is none.
    """

    rule: str
    subject: str
    description: str
    value: str = ""
    limit: str = ""
    unit: str = ""


class PreconditionFailed(DomainError):
    reason = "ORDER_NOT_OPEN"

    def __init__(
        self, message: str, violations: Sequence[Violation], *, reason: str | None = None, **metadata: str
    ) -> None:
        super().__init__(message, reason=reason, **metadata)
        self.violations = tuple(violations)


class OrderNotPlaced(PreconditionFailed):
    reason = "RISK_CHECK_FAILED"


class OutOfRange(DomainError):
    reason = "SEQUENCE_IN_FUTURE"


class Throttled(DomainError):
    reason = "RATE_LIMITED"

    def __init__(self, message: str, retry_after_seconds: float, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.retry_after_seconds = retry_after_seconds


class TooLarge(DomainError):
    reason = "MESSAGE_TOO_LARGE"


class Unavailable(DomainError):
    reason = "STORAGE_UNAVAILABLE"
