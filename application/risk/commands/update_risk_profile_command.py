"""Change the limits of an account."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.errors import VersionMismatch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.trading.events.order_events import EventType


@dataclass(frozen=True, slots=True)
class UpdatedRiskProfile:
    """The profile as it is now in force; `sequence` is the journal's after it."""

    profile: RiskProfile
    sequence: int


@dataclass(frozen=True, slots=True)
class UpdateRiskProfile:
    """`changes` by field name of RiskProfile; None takes a limit off. Orders that work already stay."""

    account_id: str
    actor: str
    changes: Mapping[str, Any]
    expected_version: int | None = None

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> UpdatedRiskProfile:
        profile = book.profile
        if self.expected_version is not None and self.expected_version != profile.version:
            raise VersionMismatch(
                f"expected_version: the profile is at version {profile.version}, not {self.expected_version}",
                expected_version=str(self.expected_version),
                current_version=str(profile.version),
            )
        changed = {name: value for name, value in self.changes.items() if getattr(profile, name) != value}
        if not changed:
            return UpdatedRiskProfile(profile, book.sequence)
        after = replace(profile, **changed, version=profile.version + 1, updated_time=book.now)
        book.profile = after
        book.batch.risk_profiles[book.account_id] = after
        book.record(EventType.RISK_PROFILE_UPDATED, risk_profile=after, changed_paths=tuple(changed))
        return UpdatedRiskProfile(after, book.sequence)
