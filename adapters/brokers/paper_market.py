"""One symbol at the paper venue: its sessions, its book, and how orders meet a quote."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from adapters.brokers.paper_book import BookSide
from adapters.brokers.paper_ledger import Ledger
from adapters.brokers.paper_order import PaperOrder
from adapters.brokers.paper_settings import PaperSettings
from application.ports.market_data import LatestQuotes
from domain.decimals import ZERO
from domain.market_data.instrument import Instrument
from domain.market_data.quote import Quote
from domain.market_data.trading_hours import Session
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import Liquidity, Side, TimeInForce

_ENDS: Final = {
    TimeInForce.IOC: (ExecType.CANCELED, "IOC: nothing more could be filled at once"),
    TimeInForce.FOK: (ExecType.CANCELED, "FOK: the whole quantity could not be filled at once"),
    TimeInForce.OPG: (ExecType.EXPIRED, "OPG: not filled at the opening"),
    TimeInForce.CLS: (ExecType.EXPIRED, "CLS: not filled at the close"),
}
_NO_MARKET: Final = "the market is closed or shows no fresh quote"
_TAKES: Final = "post_only: the order would trade at once"
NOTHING_TO_REDUCE: Final = "reduce_only: there is no position that it would reduce"


class Market:
    """Matches in price-time priority against the quote, whose size all orders of a side share.

    An order that crosses as it comes takes at the quote's price; one that rested makes at its own limit.
    """

    def __init__(self, instrument: Instrument, quotes: LatestQuotes, ledger: Ledger, settings: PaperSettings) -> None:
        self.instrument = instrument
        self._quotes = quotes
        self._ledger = ledger
        self._settings = settings
        self._max_age = timedelta(seconds=settings.max_quote_age_seconds)
        self._stop_interval = timedelta(seconds=settings.stop_report_interval_seconds)
        self._next_stop_reports = datetime.min.replace(tzinfo=UTC)
        self._buys, self._sells = self._sides = BookSide(Side.BUY), BookSide(Side.SELL)
        self._session: Session | None = None
        self._session_since = datetime.max.replace(tzinfo=UTC)
        self._seen: datetime | None = None
        self._one_shots: list[PaperOrder] = []
        self._opening: list[PaperOrder] = []

    @property
    def has_orders(self) -> bool:
        return any(self._sides) or bool(self._opening)

    # -- time ---------------------------------------------------------------------------------------

    def session(self, at: datetime) -> Session:
        """The session that is running at `at`, or the next one."""
        if self._session is None or not self._session_since <= at < self._session.close:
            self._session_since = at
            self._session = self.instrument.hours.next_session(at)
        return self._session

    def is_open(self) -> bool:
        return self.session(self._ledger.now).open <= self._ledger.now

    def resumes(self) -> datetime:
        """When its orders can trade, or have a moved stop to report, for all that is known now; not always ahead."""
        opens = self.session(self._ledger.now).open
        return min(opens, self._next_stop_reports) if self._has_moved_stops else opens

    def live_quote(self) -> Quote | None:
        """The quote that trades now; None when the market is closed, or shows none that is fresh."""
        quote = self._fresh_quote()
        return quote if quote is not None and self.is_open() else None

    def _fresh_quote(self) -> Quote | None:
        quote = self._quotes.latest(self.instrument.symbol)
        return quote if quote is not None and self._ledger.now - quote.quote_time <= self._max_age else None

    # -- taking orders in ---------------------------------------------------------------------------

    def refusal(self, terms: OrderTerms) -> str:
        """Why the market does not take an order of these terms now; empty when it does."""
        if not terms.post_only:
            return ""
        side, quote = self._side_of(terms), self.live_quote()
        return _TAKES if quote is not None and side.crosses(terms.limit_price, side.offered(quote)) else ""

    def take(self, order: PaperOrder) -> None:
        """Let `order` trade at once as far as it can; then it rests or ends, as its time in force says."""
        quote = self.live_quote()
        side = self._side_of(order.terms)
        if order.awaits_trigger:
            side.await_trigger(order)
        elif quote is None and order.one_shot:
            self._ledger.end(order, ExecType.CANCELED, f"{order.terms.time_in_force.value}: {_NO_MARKET}")
            return
        else:
            if quote is not None and not order.rested:
                order.rested = not side.crosses(order.limit_price, side.offered(quote))
            self._work(order)
        if quote is not None and (self._one_shots or not order.rested):
            self._match(quote)

    def open_with(self, orders: Sequence[PaperOrder]) -> None:
        """Have `orders` take part in the opening: the first quote of the session."""
        self._opening.extend(orders)
        if orders:
            self.look()

    def close_with(self, orders: Sequence[PaperOrder]) -> None:
        """Have `orders` take part in the closing: the last quote of the session, for all that rests."""
        if not orders:
            return
        for order in orders:
            self._work(order)
        quote = self._fresh_quote()
        if quote is not None:
            self._match(quote)
        self._end_one_shots()

    def _side_of(self, terms: OrderTerms) -> BookSide:
        return self._buys if terms.side is Side.BUY else self._sells

    def _work(self, order: PaperOrder) -> None:
        self._side_of(order.terms).work(order)
        if order.one_shot:
            self._one_shots.append(order)

    # -- matching -----------------------------------------------------------------------------------

    def look(self) -> None:
        """Match against the quote, if it is new."""
        quote = self.live_quote()
        if quote is not None and (quote.quote_time != self._seen or self._opening):
            self._match(quote)

    @property
    def _has_moved_stops(self) -> bool:
        return any(side.has_moved_stops for side in self._sides)

    def report_stops(self) -> None:
        """Tell where the trailing stops stand that have moved; not again at once, as each quote may move them all."""
        if not self._has_moved_stops or self._ledger.now < self._next_stop_reports:
            return
        self._next_stop_reports = self._ledger.now + self._stop_interval
        for side in self._sides:
            for order, stop in side.take_moved_stops():
                price = self._on_tick(stop, side.side)
                if price > ZERO and price != order.trail_stop:
                    order.trail_stop = price
                    self._ledger.tell(order, ExecType.STOP_MOVED, price=price, request_version=order.trail_version)

    def _match(self, quote: Quote) -> None:
        is_new = quote.quote_time != self._seen
        self._seen = quote.quote_time
        self._call_opening(quote)
        for side in self._sides:
            if is_new:
                side.face(quote, self.instrument)
            for order, stop in side.triggered():
                self._trigger(order, side, stop)
        for side in self._sides:
            while (next_order := side.next_to_trade()) is not None:
                self._execute(next_order, side)
            if is_new:
                side.settle_newcomers()
        self._end_one_shots()

    def _call_opening(self, quote: Quote) -> None:
        if not self._opening or quote.quote_time < self.session(self._ledger.now).open:
            return
        for order in self._opening:
            if not order.done:
                self._work(order)
        self._opening = []

    def _trigger(self, order: PaperOrder, side: BookSide, stop: Decimal) -> None:
        order.triggered = True
        order.rested = not side.crosses(order.limit_price, side.price)
        self._ledger.tell(order, ExecType.TRIGGERED, price=self._on_tick(stop, side.side))
        self._work(order)

    def _execute(self, order: PaperOrder, side: BookSide) -> None:
        """Fill `order`, the next to trade; or end it, so that it is not the next again."""
        tradable = self._ledger.tradable(order)
        if order.terms.post_only and not order.rested:
            self._ledger.end(order, ExecType.CANCELED, _TAKES)
        elif tradable <= ZERO:
            self._ledger.end(order, ExecType.CANCELED, NOTHING_TO_REDUCE)
        elif order.terms.time_in_force is TimeInForce.FOK and min(tradable, side.available) < order.leaves:
            self._ledger.end(order, *_ENDS[TimeInForce.FOK])
        else:
            quantity = min(tradable, side.available)
            side.available -= quantity
            makes = order.rested and order.limit_price is not None
            liquidity = Liquidity.MAKER if makes else Liquidity.TAKER
            self._ledger.trade(order, quantity, self._price(order, side), liquidity)

    def _end_one_shots(self) -> None:
        for order in self._one_shots:
            if not order.done:
                self._ledger.end(order, *_ENDS[order.terms.time_in_force])
        self._one_shots = []

    def _price(self, order: PaperOrder, side: BookSide) -> Decimal:
        if order.limit_price is not None:
            return order.limit_price if order.rested else side.price
        slipped = side.price * (1 + side.side.sign * self._settings.slippage)
        return max(self.instrument.tick_size, self._on_tick(slipped, side.side))

    def _on_tick(self, price: Decimal, side: Side) -> Decimal:
        """`price` on the tick that is not in the trader's favour."""
        tick = self.instrument.tick_size
        rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
        return (price / tick).to_integral_value(rounding) * tick
