"""Which strategies a position belongs to: those whose fills have made it since it was last flat."""

from collections.abc import Mapping
from decimal import Decimal

from domain.risk.services.exposure import Attribution
from domain.trading.repositories.order_repository import FillFilter, OrderRepository

_PAGE = 500
_MOST_FILLS = 10_000


class StrategyHoldings:
    """Reads the fills back from the newest, as far as a position reaches, and remembers what came out.

    A position is one holding of its account, however many strategies trade in it, so what one of them closed may
    have been opened by another. Of one that more than 10,000 fills have made, what the older ones brought counts as
    without a strategy.
    """

    def __init__(self, store: OrderRepository) -> None:
        self._store = store
        self._known: dict[tuple[str, str], tuple[int, dict[str, Decimal]]] = {}

    async def of(self, account_id: str, symbol: str, quantity: Decimal, sequence: int) -> Mapping[str, Decimal]:
        """Signed quantities by strategy that sum up to `quantity`, the position that event `sequence` made."""
        if not quantity:
            return {}
        known = self._known.get((account_id, symbol))
        if known is None or known[0] != sequence:
            known = sequence, await self._read(account_id, symbol, quantity, sequence)
            self._known[account_id, symbol] = known
        return known[1]

    async def _read(self, account_id: str, symbol: str, quantity: Decimal, sequence: int) -> dict[str, Decimal]:
        attribution = Attribution(quantity)
        after: int | None = sequence + 1
        for _ in range(_MOST_FILLS // _PAGE):
            fills = await self._store.fills(account_id, FillFilter(symbol=symbol), after, _PAGE, newest_first=True)
            for fill in fills:
                if attribution.left and not fill.busted:
                    attribution.take(fill.strategy_id, fill.quantity * fill.side.sign)
            if not attribution.left or len(fills) < _PAGE:
                break
            after = fills[-1].sequence
        return attribution.finished()
