"""Having fresh quotes at hand of whatever the next decisions look at."""

from collections.abc import Iterable, Iterator, Sequence

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.valuation import Valuation
from domain.trading.aggregates.order import Order


async def refresh_quotes(book: AccountBook, needs: Sequence[Needs]) -> None:
    """After it, quotes and instruments are as fresh as their providers let them be in the time that they are given."""
    # Twice, because an instrument tells which currency has to be converted.
    for _ in range(2):
        unready = _unready(book, needs)
        if not unready:
            return
        await book.quotes.ensure(dict.fromkeys(unready))


def _unready(book: AccountBook, needs: Sequence[Needs]) -> list[str]:
    """On the way of every order, where mostly nothing is to be refreshed: so it is plain loops."""
    symbols = _named(book, needs)
    if not symbols and not any(asked.valued for asked in needs):
        return []
    wants, positions = book.quotes.wants, book.portfolio.positions
    unready = [symbol for symbol in symbols if wants(symbol)]
    unready += [symbol for symbol, held in positions.items() if held.quantity and wants(symbol)]
    currencies = _currencies(book, symbols)
    unready += book.valuation.unready(currencies)
    for base in {asked.currency for asked in needs if asked.currency}:
        unready += Valuation(base, book.quotes).unready(currencies)
    return unready


def _named(book: AccountBook, needs: Sequence[Needs]) -> dict[str, None]:
    """The symbols of new orders, of orders that are checked again, and of groups whose lot size is not known."""
    symbols: dict[str, None] = {}
    for asked in needs:
        for symbol in asked.symbols:
            symbols[symbol] = None
        if asked.order_ids or asked.valued:
            for order in _orders(book, asked):
                symbol = order.terms.symbol
                if asked.valued or (order.group_id and book.quotes.instrument(symbol) is None):
                    symbols[symbol] = None
    return symbols


def _orders(book: AccountBook, asked: Needs) -> Iterator[Order]:
    found = [book.find(order_id, "") for order_id in asked.order_ids]
    found += [book.find("", client_id) for client_id in asked.client_order_ids]
    return (order for order in found if order is not None)


def _currencies(book: AccountBook, symbols: Iterable[str]) -> set[str]:
    """Of everything that is converted into the base currency."""
    currencies = set(book.portfolio.cash)
    for held in book.portfolio.positions.values():
        currencies.add(held.currency)
    for waiting in book.open_orders.values():
        currencies.add(waiting.currency)
    for symbol in symbols:
        instrument = book.quotes.instrument(symbol)
        if instrument is not None:
            currencies.add(instrument.currency)
    return currencies
