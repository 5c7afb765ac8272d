"""What things are worth now, from the newest quotes, in an account's base currency."""

from collections.abc import Iterable
from decimal import Decimal

from application.ports.market_data import LatestQuotes
from domain.decimals import ONE, settle
from domain.risk.services.margin import Margin, MissingPrice, OpenOrders, measure
from domain.trading.aggregates.portfolio import Portfolio
from domain.trading.value_objects.symbol import pair


class Valuation:
    """Marks and currency rates for one base currency; raises MissingPrice where the market shows nothing."""

    def __init__(self, base_currency: str, quotes: LatestQuotes) -> None:
        self.base_currency = base_currency
        self._quotes = quotes

    def mark(self, symbol: str) -> Decimal:
        """The middle of the newest quote, however old."""
        quote = self._quotes.latest(symbol)
        if quote is None:
            raise MissingPrice(symbol)
        return quote.mid

    def rate(self, currency: str) -> Decimal:
        """What one unit of `currency` is in the base currency, by the direct market or its inverse."""
        if currency == self.base_currency:
            return ONE
        direct = self._quotes.latest(pair(currency, self.base_currency))
        if direct is not None:
            return direct.mid
        inverse = self._quotes.latest(pair(self.base_currency, currency))
        if inverse is None:
            raise MissingPrice(currency)
        return settle(1 / inverse.mid)

    def unready(self, currencies: Iterable[str]) -> list[str]:
        """Of the markets that `rate` would look at, those whose quotes are to be refreshed first."""
        unready = []
        for currency in currencies:
            if currency == self.base_currency:
                continue
            direct, inverse = pair(currency, self.base_currency), pair(self.base_currency, currency)
            if self._quotes.wants(direct):
                unready.append(direct)
            if self._quotes.wants(inverse) and self._quotes.latest(direct) is None:
                unready.append(inverse)
        return unready

    def margin(self, portfolio: Portfolio, open_orders: dict[str, OpenOrders], max_leverage: Decimal | None) -> Margin:
        positions = portfolio.positions.values()
        return measure(portfolio.cash.items(), positions, open_orders, max_leverage, self.mark, self.rate)
