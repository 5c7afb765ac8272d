"""The paper venue: what becomes of an order there, from its arrival to its end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from adapters.brokers.paper_chance import Chance
from adapters.brokers.paper_ladder import withdraw
from adapters.brokers.paper_ledger import Ledger, Publish
from adapters.brokers.paper_market import NOTHING_TO_REDUCE, Market
from adapters.brokers.paper_order import PaperOrder
from adapters.brokers.paper_settings import PaperSettings
from application.ports.market_data import LatestQuotes
from domain.decimals import ZERO
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import TimeInForce

_AUCTIONS: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS})
_EXPIRED: Final = {
    TimeInForce.DAY: "DAY: the session is over",
    TimeInForce.GTD: "GTD: expire_time has come",
    TimeInForce.OPG: "OPG: the opening is over",
    TimeInForce.CLS: "CLS: the close is over",
}


class PaperVenue:
    """Commands take effect at once, at `ledger.now`: the way there and back is the broker's matter."""

    def __init__(
        self, now: datetime, quotes: LatestQuotes, settings: PaperSettings, chance: Chance, publish: Publish
    ) -> None:
        self._quotes = quotes
        self._settings = settings
        self._chance = chance
        self._markets: dict[str, Market] = {}
        self._unplaced: list[PaperOrder] = []
        self.ledger = Ledger(settings, now, chance, publish)

    # -- commands -----------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        if self.ledger.find(order.order_id) is not None:
            return
        entered = self.ledger.stranger(order)
        is_first = self.ledger.enter(entered)
        reason = self._refusal(entered) if is_first else "the client order id is taken"
        if reason:
            self.ledger.end(entered, ExecType.REJECTED, reason, answers=True)
            return
        self.ledger.tell(entered, ExecType.NEW, answers=True)
        self.place(entered)

    def replace(self, order: Order, terms: OrderTerms, request_version: int) -> None:
        known = self.ledger.find(order.order_id)
        reason = self._replace_refusal(known, terms)
        if known is None or reason:
            known = known or self.ledger.stranger(order)
            answer = ExecType.REPLACE_REJECTED
            self.ledger.tell(known, answer, answers=True, request_version=request_version, reason=reason)
            return
        moves = known.level is not None and not _keeps_its_place(known, terms)
        if moves:
            withdraw(known)
        new_deadline = known.deadline is not None and terms.expire_time != known.terms.expire_time
        known.take(terms, anew=moves, request_version=request_version)
        self.ledger.replaced(known, request_version)
        if moves:
            self.place(known)
        elif new_deadline and not known.done:
            self._has_time(known, self._markets[terms.symbol])

    def cancel(self, order: Order) -> None:
        known = self.ledger.find(order.order_id)
        if known is not None and not known.done:
            self.ledger.end(known, ExecType.CANCELED, answers=True)
            return
        reason = "unknown order" if known is None else "too late: the order is done"
        known = known or self.ledger.stranger(order)
        self.ledger.tell(known, ExecType.CANCEL_REJECTED, answers=True, reason=reason)

    def adopt(self, order: Order) -> PaperOrder:
        """Know `order` as one that works here; `place` then lets it trade. Nothing is reported of it."""
        adopted = self.ledger.stranger(order)
        adopted.resume(order)
        self.ledger.enter(adopted)
        self.ledger.record(adopted, ExecType.NEW)
        return adopted

    def place(self, order: PaperOrder) -> None:
        """Let `order` trade, rest or wait."""
        if order.done:
            return
        market = self._market(order.terms.symbol)
        if market is None:
            self._unplaced.append(order)
            return
        if self._has_time(order, market) and order.terms.time_in_force not in _AUCTIONS:
            market.take(order)

    def _has_time(self, order: PaperOrder, market: Market) -> bool:
        """Have the venue turn to `order` when its time is over; False when it is, and the order with it."""
        deadline = _deadline(order, market)
        if deadline is not None and deadline <= self.ledger.now:
            self._expire(order)
            return False
        if deadline is not None:
            self.ledger.deadlines.set(order, deadline)
        return True

    # -- time ---------------------------------------------------------------------------------------

    def keep_deadlines(self) -> None:
        """Turn to every order whose moment has come."""
        for orders in self.ledger.deadlines.take_due(self.ledger.now):
            by_market = defaultdict(list)
            for order in orders:
                by_market[self._markets[order.terms.symbol]].append(order)
            for market, due in by_market.items():
                self._turn_to(market, due)

    def look(self) -> Sequence[str]:
        """Match resting orders against new quotes and report moved stops; gives the symbols to have quotes of."""
        unplaced, self._unplaced = self._unplaced, []
        for order in unplaced:
            self.place(order)
        trading = [market for market in self._busy_markets() if market.is_open()]
        for market in trading:
            market.look()
        for market in self._busy_markets():
            market.report_stops()
        unknown = dict.fromkeys(order.terms.symbol for order in self._unplaced)
        return [*(market.instrument.symbol for market in trading), *unknown]

    def resumes(self) -> datetime | None:
        """When the first of the orders that rest can trade, or tells of its stop; None for never."""
        if self._unplaced:
            return self.ledger.now
        return min((market.resumes() for market in self._busy_markets()), default=None)

    def _busy_markets(self) -> Iterator[Market]:
        return (market for market in self._markets.values() if market.has_orders)

    def _turn_to(self, market: Market, orders: Iterable[PaperOrder]) -> None:
        """The close of one session comes before the opening of the next, which may be at the same moment."""
        closing: list[PaperOrder] = []
        opening: list[PaperOrder] = []
        over: list[PaperOrder] = []
        for order in orders:
            tif = order.terms.time_in_force
            opens = tif is TimeInForce.OPG and not order.called
            (closing if tif is TimeInForce.CLS else opening if opens else over).append(order)
        market.close_with(closing)
        for order in over:
            self._expire(order)
        for order in opening:
            order.called = True
            self.ledger.deadlines.set(order, market.session(self.ledger.now).close)
        market.open_with(opening)

    def _expire(self, order: PaperOrder) -> None:
        if not order.done:
            self.ledger.end(order, ExecType.EXPIRED, _EXPIRED[order.terms.time_in_force])

    # -- rules --------------------------------------------------------------------------------------

    def _refusal(self, order: PaperOrder) -> str:
        market = self._market(order.terms.symbol)
        if market is None:
            return f"unknown symbol {order.terms.symbol}"
        if self._chance.happens(self._settings.reject_rate, order.account_id, order.client_order_id, "reject"):
            return "refused at random, as reject_rate asks"
        if order.terms.reduce_only and self.ledger.tradable(order) <= ZERO:
            return NOTHING_TO_REDUCE
        return market.refusal(order.terms)

    def _replace_refusal(self, known: PaperOrder | None, terms: OrderTerms) -> str:
        if known is None:
            return "unknown order"
        if known.done:
            return "too late: the order is done"
        if any(getattr(terms, fixed) != getattr(known.terms, fixed) for fixed in _FIXED):
            return f"a replace keeps {', '.join(_FIXED)}"
        market = self._market(terms.symbol)
        return market.refusal(terms) if market is not None else ""

    def _market(self, symbol: str) -> Market | None:
        market = self._markets.get(symbol)
        if market is None and (instrument := self._quotes.instrument(symbol)) is not None:
            market = Market(instrument, self._quotes, self.ledger, self._settings)
            self._markets[symbol] = market
        return market


_FIXED: Final = ("client_order_id", "symbol", "side", "type", "time_in_force")


def _keeps_its_place(order: PaperOrder, terms: OrderTerms) -> bool:
    """Only less quantity, at the same price, costs no priority; a stop that waits has none to lose, but its trigger."""
    if order.awaits_trigger:
        return terms.stop_price == order.terms.stop_price and terms.trail == order.terms.trail
    only_quantity = replace(terms, quantity=order.terms.quantity) == order.terms
    return only_quantity and terms.quantity <= order.terms.quantity


def _deadline(order: PaperOrder, market: Market) -> datetime | None:
    """When the venue must turn to `order`; None for never."""
    match order.terms.time_in_force:
        case TimeInForce.GTD:
            return order.terms.expire_time
        case TimeInForce.DAY | TimeInForce.CLS:
            return market.session(order.created_time).close
        case TimeInForce.OPG:
            session = market.session(order.created_time)
            missed = session.open <= order.created_time
            return market.session(session.close).open if missed else session.open
        case _:
            return None
