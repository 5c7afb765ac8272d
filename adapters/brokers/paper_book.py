"""One side of one symbol's book: the orders that rest there, and what is left of the quote that they face."""

from collections.abc import Iterator
from decimal import Decimal

from adapters.brokers.paper_ladder import Ladder, withdraw
from adapters.brokers.paper_order import PaperOrder
from adapters.brokers.paper_trail import Trail
from domain.decimals import ZERO, round_down
from domain.market_data.instrument import Instrument
from domain.market_data.quote import Quote
from domain.trading.value_objects.order_type import OrderType, Side

_FIRST_OF_ALL = Decimal("Infinity")
_SLACK = 64


class BookSide:
    """All buys, or all sells, by price and time.

    `price` is what the quote offers this side: the ask to buys, the bid to sells; `available` is how much of
    it is left until the next quote. Keys of the ladders carry the side's sign, so that more is nearer.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.price = ZERO
        self.available = ZERO
        self._working = Ladder()
        self._stops = Ladder()
        self._trail = Trail()
        self._newcomers: list[PaperOrder] = []

    def __bool__(self) -> bool:
        return bool(self._working or self._stops or self._trail)

    def offered(self, quote: Quote) -> Decimal:
        return quote.ask_price if self.side is Side.BUY else quote.bid_price

    def face(self, quote: Quote, instrument: Instrument) -> None:
        """Have a new quote to trade against."""
        size = quote.ask_size if self.side is Side.BUY else quote.bid_size
        self.price = self.offered(quote)
        self.available = round_down(size, instrument.lot_size) if self.price > ZERO else ZERO

    # -- taking orders in ---------------------------------------------------------------------------

    def await_trigger(self, order: PaperOrder) -> None:
        """Hold a stop back until the market reaches it."""
        if order.terms.type is not OrderType.TRAILING_STOP:
            self._stops.add(-self.side.sign * (order.terms.stop_price or ZERO), order)
        elif order.trail_stop is None:
            self._trail.add(order)
        else:
            self._trail.add_with_stop(order, self.side.sign * order.trail_stop)

    def work(self, order: PaperOrder) -> None:
        """Let `order` trade, by price and time."""
        if order.limit_price is None:
            self._working.add(_FIRST_OF_ALL, order)
            return
        self._working.add(self.side.sign * order.limit_price, order)
        if not order.rested:
            self._newcomers.append(order)
            if len(self._newcomers) > 2 * len(self._working) + _SLACK:
                self._newcomers = [newcomer for newcomer in self._newcomers if newcomer.level is not None]

    def crosses(self, limit: Decimal | None, price: Decimal) -> bool:
        """Whether an order with this limit could trade at `price`."""
        return price > ZERO and (limit is None or self.side.sign * (limit - price) >= ZERO)

    # -- meeting the quote --------------------------------------------------------------------------

    def triggered(self) -> Iterator[tuple[PaperOrder, Decimal]]:
        """Lets go of each stop that the quote reaches, with its stop price."""
        if self.price <= ZERO:
            return
        sign = self.side.sign
        while (order := self._stops.first(-sign * self.price)) is not None:
            withdraw(order)
            yield order, order.terms.stop_price or ZERO
        if self._trail:
            for order, stop in self._trail.move(sign * self.price):
                yield order, sign * stop

    @property
    def has_moved_stops(self) -> bool:
        return self._trail.moved

    def take_moved_stops(self) -> Iterator[tuple[PaperOrder, Decimal]]:
        """The trailing stops that have moved since the last call, with their stop prices."""
        return ((order, self.side.sign * stop) for order, stop in self._trail.take_moved())

    def next_to_trade(self) -> PaperOrder | None:
        """The first order that crosses the quote, while there is something left of it."""
        return self._working.first(self.side.sign * self.price) if self.available > ZERO else None

    def settle_newcomers(self) -> None:
        """Whoever has met the quote and does not cross it rests from now on."""
        crossing = []
        for order in self._newcomers:
            if order.level is None or order.rested:
                continue
            if self.crosses(order.limit_price, self.price):
                crossing.append(order)
            else:
                order.rested = True
        self._newcomers = crossing
