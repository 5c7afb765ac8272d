"""The numbers behind the limits of an account, as its book shows them."""

from decimal import Decimal

from application.trading.account_book import AccountBook
from domain.decimals import ZERO
from domain.risk.services.limit_use import SymbolUse, Usage, symbol_use
from domain.risk.services.margin import Margin, MissingPrice


def usage_of(book: AccountBook) -> Usage:
    """In the account's base currency; what lacks a price or a rate is None."""
    return Usage(book.account.base_currency, _margin(book), book.open_count, book.risk_state, book.now, _symbols(book))


def _margin(book: AccountBook) -> Margin | None:
    try:
        return book.valuation.margin(book.portfolio, book.open_orders, book.limits.max_leverage)
    except MissingPrice:
        return None


def _symbols(book: AccountBook) -> dict[str, SymbolUse]:
    positions = book.portfolio.positions
    held = {symbol for symbol, position in positions.items() if position.quantity}
    return {symbol: _symbol_use(book, symbol) for symbol in sorted(held | book.open_orders.keys())}


def _symbol_use(book: AccountBook, symbol: str) -> SymbolUse:
    position, waiting = book.portfolio.positions.get(symbol), book.open_orders.get(symbol)
    currency = position.currency if position else waiting.currency if waiting else ""
    quantity = position.quantity if position else ZERO
    mark: Decimal | None = ZERO
    rate: Decimal | None = None
    try:
        mark = book.valuation.mark(symbol) if quantity else ZERO
        rate = book.valuation.rate(currency)
    except MissingPrice:
        pass
    return symbol_use(quantity, waiting, mark, rate)
