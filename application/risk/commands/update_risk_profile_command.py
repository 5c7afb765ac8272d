"""Change the limits of an account."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from application.risk.queries.get_risk_profile_query import trading_state_of
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.errors import PreconditionFailed, VersionMismatch
from domain.risk.aggregates.risk_profile import RiskProfile, above_ceiling
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.events.order_events import EventType

# What is in force in every account, if it says nothing of its own.
DEFAULTS: Final = {"max_leverage": Decimal(1), "max_quote_age": Decimal(60)}


@dataclass(frozen=True, slots=True)
class UpdatedRiskProfile:
    """The profile as it is now in force; `sequence` is the journal's after it."""

    profile: RiskProfile
    trading_state: TradingState
    sequence: int


@dataclass(frozen=True, slots=True)
class UpdateRiskProfile:
    """`changes` by field name of RiskProfile; None takes a limit off, or back to its default. Open orders stay.

    A limit that is set above the firm's is refused; one that is above it since the firm's came down may stay.
    """

    account_id: str
    actor: str
    changes: Mapping[str, Any]
    expected_version: int | None = None
    reason: str = ""

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> UpdatedRiskProfile:
        before = book.profile
        self._check_version(before.version)
        wanted = {name: DEFAULTS.get(name) if value is None else value for name, value in self.changes.items()}
        changed = {name: value for name, value in wanted.items() if getattr(before, name) != value}
        if changed:
            _check_ceiling({name: self.changes[name] for name in changed}, book.controls.firm)
            self._record(book, changed)
        return UpdatedRiskProfile(book.profile, trading_state_of(book), book.sequence)

    def _check_version(self, present: int) -> None:
        if self.expected_version not in (None, present):
            raise VersionMismatch(
                f"expected_version: the profile is at version {present}, not {self.expected_version}",
                expected_version=str(self.expected_version),
                current_version=str(present),
            )

    def _record(self, book: AccountBook, changed: Mapping[str, Any]) -> None:
        version = book.profile.version + 1
        after = replace(book.profile, **changed, version=version, updated_time=book.now, updated_by=self.actor)
        book.profile = after
        book.batch.risk_profiles[book.account_id] = after
        paths = tuple(changed)
        book.record(EventType.RISK_PROFILE_UPDATED, risk_profile=after, changed_paths=paths, reason=self.reason)


def _check_ceiling(changed: Mapping[str, Any], firm: RiskProfile) -> None:
    # Only what is set anew is held against the ceiling: all else is as the firm has it.
    above = above_ceiling(replace(firm, **changed), firm)
    if above:
        message = "above the firm's ceiling: " + "; ".join(violation.description for violation in above)
        raise PreconditionFailed(message, above, reason="LIMIT_ABOVE_CEILING")
