"""What may be traded: by the firm, an account, a strategy or in a symbol."""

from domain.terms import Term


class TradingState(Term):
    """ACTIVE: what passes the rules. REDUCING: only what lowers exposure. HALTED: nothing new. Cancels always pass."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"

    @property
    def severity(self) -> int:
        """The higher, the less may be traded; of several states the most severe counts."""
        return _SEVERITIES[self]


_SEVERITIES = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}
