"""The limits that the proof plays with, of an account and of the firm: the stricter of the two holds."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

# The mildest first.
_SELF_MATCH: Final = ("ALLOW", "CANCEL_RESTING", "REJECT")


@dataclass(frozen=True)
class Limits:
    """None: no limit. `self_match` is None where nobody cares; an account then refuses."""

    max_order_quantity: Decimal | None = None
    max_position_quantity: Decimal | None = None
    max_gross_exposure: Decimal | None = None
    max_leverage: Decimal | None = None
    max_open_orders: int | None = None
    order_rate: tuple[int, Decimal] | None = None
    duplicate_window: Decimal | None = None
    self_match: str | None = None
    restricted: frozenset[str] = frozenset()

    @staticmethod
    def of(profile: Any) -> "Limits":
        rate, match = profile.order_rate, profile.self_match_action
        return Limits(
            profile.max_order_quantity,
            profile.max_position_quantity,
            profile.max_gross_exposure,
            profile.max_leverage,
            profile.max_open_orders,
            (rate.count, rate.period) if rate else None,
            profile.duplicate_window,
            match.value if match else None,
            profile.restricted_symbols,
        )

    def under(self, firm: "Limits") -> "Limits":
        """An account's limits under the firm's ceiling. One that says nothing of its own orders' meeting refuses it."""
        return replace(self, self_match=self.self_match or "REJECT").and_also(firm)

    def and_also(self, other: "Limits") -> "Limits":
        """The stricter of each; `other` has neither rate nor window."""
        matches = [match for match in (self.self_match, other.self_match) if match]
        return Limits(
            _lower(self.max_order_quantity, other.max_order_quantity),
            _lower(self.max_position_quantity, other.max_position_quantity),
            _lower(self.max_gross_exposure, other.max_gross_exposure),
            _lower(self.max_leverage, other.max_leverage),
            _lower(self.max_open_orders, other.max_open_orders),
            self.order_rate,
            self.duplicate_window,
            max(matches, key=_SELF_MATCH.index, default=None),
            self.restricted | other.restricted,
        )


def _lower(a: Any, b: Any) -> Any:
    return min((limit for limit in (a, b) if limit is not None), default=None)
