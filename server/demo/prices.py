"""The market as the demo reads it, and the prices and quantities that it makes of it."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_DOWN, Decimal

from quantmesh.marketdata.v1.instrument_pb2 import Instrument
from quantmesh.marketdata.v1.quote_pb2 import Quote


class Prices:
    """Quotes of one moment. Answers are decimal strings on the tick or the lot, as orders need them."""

    def __init__(self, quotes: Iterable[Quote], instruments: Mapping[str, Instrument]) -> None:
        self._quotes = {quote.symbol: quote for quote in quotes}
        self._instruments = instruments

    def bid(self, symbol: str) -> str:
        return self._quotes[symbol].bid_price

    def ask(self, symbol: str) -> str:
        return self._quotes[symbol].ask_price

    def near(self, symbol: str, basis_points: int) -> str:
        """The middle of the quote, moved by so many hundredths of a percent."""
        return self._on_tick(symbol, self._middle(symbol) * (1 + Decimal(basis_points) / 10_000))

    def distance(self, symbol: str, basis_points: int) -> str:
        """So many hundredths of a percent of the price."""
        return self._on_tick(symbol, self._middle(symbol) * basis_points / 10_000)

    def worth(self, symbol: str, amount: int) -> str:
        """A round quantity that costs about `amount` of the instrument's currency."""
        quantity = amount / self._middle(symbol)
        return self._in_lots(symbol, _down(quantity, Decimal(1).scaleb(quantity.adjusted() - 1)))

    def half(self, symbol: str, quantity: str) -> str:
        return self._in_lots(symbol, Decimal(quantity) / 2)

    def more_than_shown(self, symbol: str) -> str:
        """Half as much again as is offered now."""
        return self._in_lots(symbol, Decimal(self._quotes[symbol].ask_size) * Decimal("1.5"))

    def thinnest(self, *symbols: str) -> str:
        """The one of which least is offered now, by its cost."""
        return min(symbols, key=lambda symbol: Decimal(self._quotes[symbol].ask_size) * self._middle(symbol))

    def _middle(self, symbol: str) -> Decimal:
        return (Decimal(self.bid(symbol)) + Decimal(self.ask(symbol))) / 2

    def _on_tick(self, symbol: str, price: Decimal) -> str:
        tick = Decimal(self._instruments[symbol].tick_size)
        return plain(max(tick, _down(price, tick)))

    def _in_lots(self, symbol: str, quantity: Decimal) -> str:
        lot = Decimal(self._instruments[symbol].lot_size)
        return plain(max(lot, _down(quantity, lot)))


def plain(value: Decimal) -> str:
    """Without an exponent and without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _down(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_DOWN) * step
