"""Why an instrument could not be fetched, in a form that lasts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.errors import DomainError, NotFound, PreconditionFailed, Unavailable, Violation


@dataclass(frozen=True, slots=True)
class BackfillFailure:
    """`kind` is the class of the refusal that ListBars would meet; the rest is what it says."""

    symbol: str
    kind: str
    message: str
    reason: str
    metadata: Mapping[str, str]
    violations: tuple[Violation, ...] = ()

    def error(self) -> DomainError:
        return _MADE.get(self.kind, _unexplained)(self)


def failure(symbol: str, error: DomainError) -> BackfillFailure:
    violations = error.violations if isinstance(error, PreconditionFailed) else ()
    kind = next((name for name, known in _KINDS.items() if isinstance(error, known)), "")
    return BackfillFailure(symbol, kind, error.message, error.reason, dict(error.metadata), violations)


def _not_found(told: BackfillFailure) -> DomainError:
    return NotFound(told.message, reason=told.reason, **told.metadata)


def _refused(told: BackfillFailure) -> DomainError:
    return PreconditionFailed(told.message, told.violations, reason=told.reason, **told.metadata)


def _unavailable(told: BackfillFailure) -> DomainError:
    return Unavailable(told.message, reason=told.reason, **told.metadata)


def _unexplained(told: BackfillFailure) -> DomainError:
    return DomainError(told.message, reason=told.reason, **told.metadata)


_KINDS: Mapping[str, type[DomainError]] = {
    "NOT_FOUND": NotFound,
    "PRECONDITION_FAILED": PreconditionFailed,
    "UNAVAILABLE": Unavailable,
}
_MADE: Mapping[str, Callable[[BackfillFailure], DomainError]] = {
    "NOT_FOUND": _not_found,
    "PRECONDITION_FAILED": _refused,
    "UNAVAILABLE": _unavailable,
}
