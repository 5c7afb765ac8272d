"""Close the positions in the scope of an engaged kill switch, in one account."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from application.risk.flattening import FLATTENS_TAG, is_in_scope
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.examination import CheckedOrder, examine
from application.trading.placement import accept
from domain.decimals import ZERO, round_down
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import ScopeKind
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side

# An order above these is cut down to them: the rest follows when it has ended.
_SIZE_RULES = frozenset({"MAX_ORDER_QUANTITY", "MAX_ORDER_NOTIONAL"})


class Held(NamedTuple):
    """What is to be closed of the account's position in `symbol`, as event `sequence` has made it; signed."""

    symbol: str
    quantity: Decimal
    sequence: int


@dataclass(frozen=True, slots=True)
class Flatten:
    """Send market orders that reduce only, once nothing in the scope is open; else do nothing, so repeat it.

    A position that has changed since `held` was read is left for the next time. An order that the rules refuse, for
    want of a price for example, is not placed: repeating it tries again.
    """

    account_id: str
    actor: str
    kill_switch_id: str
    held: tuple[Held, ...]

    def needs(self) -> Needs:
        return Needs(symbols=tuple(held.symbol for held in self.held))

    def decide(self, book: AccountBook) -> tuple[Order, ...]:
        """The orders that were sent."""
        kill = book.controls.get(self.kill_switch_id)
        if not isinstance(kill, KillSwitch) or not kill.flatten:
            return ()
        if any(is_in_scope(kill.scope, order) for order in book.open()):
            return ()
        unchanged = [held for held in self.held if book.portfolio.positions[held.symbol].sequence == held.sequence]
        sent = (self._close(book, kill, held.symbol, held.quantity) for held in unchanged)
        return tuple(order for order in sent if order is not None)

    def _close(self, book: AccountBook, kill: KillSwitch, symbol: str, held: Decimal) -> Order | None:
        terms = OrderTerms(
            client_order_id=f"flatten-{book.ids.new_id()}",
            symbol=symbol,
            side=Side.SELL if held > ZERO else Side.BUY,
            quantity=abs(held),
            type=OrderType.MARKET,
            reduce_only=True,
            strategy_id=kill.scope.key if kill.scope.kind is ScopeKind.STRATEGY else "",
            tags=((FLATTENS_TAG, kill.kill_switch_id),),
        )
        terms = _whole_lots(book, terms)
        if not terms.quantity:
            return None
        checked = examine(book, terms, flattens=True)
        if not checked.passed:
            terms = _whole_lots(book, replace(terms, quantity=_cut(terms.quantity, checked)))
            if not terms.quantity:
                return None
            checked = examine(book, terms, flattens=True)
        return accept(book, terms, checked).order if checked.passed else None


def _whole_lots(book: AccountBook, terms: OrderTerms) -> OrderTerms:
    instrument = book.quotes.instrument(terms.symbol)
    if instrument is None:
        return terms
    quantity = round_down(min(terms.quantity, instrument.max_quantity), instrument.lot_size)
    return replace(terms, quantity=quantity)


def _cut(quantity: Decimal, checked: CheckedOrder) -> Decimal:
    """As much of `quantity` as the limits on one order's size leave; nothing when it fails for anything else."""
    failed = [result for result in checked.results if not result.passed]
    if any(result.rule not in _SIZE_RULES for result in failed):
        return ZERO
    shares = [
        result.limit / result.value
        for result in failed
        if isinstance(result.limit, Decimal) and isinstance(result.value, Decimal) and result.value
    ]
    return quantity * min(shares, default=ZERO)
