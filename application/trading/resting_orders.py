"""The open orders of an account that could trade, by symbol and side: what a self-match is looked for in."""

from decimal import Decimal
from heapq import heapify, heappop, heappush

from domain.decimals import ZERO
from domain.market_data.quote import Quote
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side

_ANY_PRICE = Decimal("Infinity")
_SLACK = 64
STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_UNTRIGGERED = frozenset({OrderStatus.PENDING_NEW, OrderStatus.NEW, OrderStatus.UNKNOWN})


def willing(terms: OrderTerms) -> Decimal:
    """How good a price the order offers, higher is better on either side; without a limit it takes any."""
    if terms.limit_price is None:
        return _ANY_PRICE
    return terms.limit_price if terms.side is Side.BUY else -terms.limit_price


class RestingOrders:
    """Finds the order that offers most in logarithmic time; entries that are out of date are dropped when met."""

    def __init__(self) -> None:
        self._offers: dict[tuple[str, Side], dict[str, Decimal]] = {}
        self._best: dict[tuple[str, Side], list[tuple[Decimal, str]]] = {}

    def keep(self, order: Order) -> None:
        """Take in the order as it now is."""
        key = order.terms.symbol, order.terms.side
        offers = self._offers.get(key)
        if not _could_trade(order):
            if offers is not None:
                self.drop(order)
            return
        offer = willing(order.terms)
        if order.replace_terms is not None:
            offer = max(offer, willing(order.replace_terms))
        if offers is None:
            offers = self._offers[key] = {}
            self._best[key] = []
        if offers.get(order.order_id) != offer:
            offers[order.order_id] = offer
            heappush(self._best[key], (-offer, order.order_id))
            self._tidy(key)

    def drop(self, order: Order) -> None:
        key = order.terms.symbol, order.terms.side
        if self._offers.get(key, {}).pop(order.order_id, None) is not None:
            self._tidy(key)

    def _tidy(self, key: tuple[str, Side]) -> None:
        """Entries that are out of date must not outgrow the others, should nobody ever ask for this side."""
        offers, heap = self._offers[key], self._best[key]
        if len(heap) > 2 * len(offers) + _SLACK:
            heap[:] = [(-offer, order_id) for order_id, offer in offers.items()]
            heapify(heap)

    def match(self, terms: OrderTerms, quote: Quote | None, buffer: Decimal) -> str:
        """The id of an open order that an order of these `terms` could trade with, empty when there is none.

        An order without a limit price reaches as far as `buffer`, a fraction, beyond the quote.
        """
        if terms.type in STOPS:
            return ""
        key = terms.symbol, Side.SELL if terms.side is Side.BUY else Side.BUY
        heap = self._best.get(key)
        if not heap:
            return ""
        offers = self._offers[key]
        while heap and offers.get(heap[0][1]) != -heap[0][0]:
            heappop(heap)
        if not heap or _reach(terms, quote, buffer) - heap[0][0] < ZERO:
            return ""
        return heap[0][1]


def _reach(terms: OrderTerms, quote: Quote | None, buffer: Decimal) -> Decimal:
    if terms.limit_price is not None or quote is None:
        return willing(terms)
    if terms.side is Side.BUY:
        return quote.ask_price * (1 + buffer)
    return quote.bid_price * (buffer - 1)


def _could_trade(order: Order) -> bool:
    """A stop that has not triggered rests nowhere yet."""
    if order.held or not order.is_open:
        return False
    return order.terms.type not in STOPS or order.state not in _UNTRIGGERED
