"""Quotes and order books on request. These run on a thread of the client's."""

from collections.abc import Collection, Iterator, Sequence

from alpaca.data.enums import DataFeed
from alpaca.data.requests import CryptoLatestOrderbookRequest, CryptoLatestQuoteRequest, StockLatestQuoteRequest

from adapters.market_data.alpaca_rest import AlpacaRest, Nonsense, Refused, is_unknown_symbol
from adapters.market_data.alpaca_rows import book_of, is_crypto, quote_of
from adapters.market_data.alpaca_settings import AlpacaSettings
from domain.market_data.quote import OrderBook, TopOfBook

_AT_ONCE = 100


def quotes_now(rest: AlpacaRest, settings: AlpacaSettings, symbols: Collection[str]) -> Sequence[TopOfBook]:
    """The newest quote of each symbol that has one."""
    found: dict[str, TopOfBook] = {}
    for group in _groups(sorted(set(symbols))):
        rows = _asked(rest, settings, group)
        for symbol in group:
            quote = quote_of(symbol, rows.get(symbol), settings.shares_per_lot)
            if quote is not None:
                found[symbol] = quote
    return [found[symbol] for symbol in symbols if symbol in found]


def book_now(rest: AlpacaRest, symbol: str, depth: int) -> OrderBook | None:
    try:
        answer: object = rest.crypto.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols=symbol))
    except Refused as refused:
        if is_unknown_symbol(refused):
            return None
        raise
    row = _rows(answer).get(symbol)
    book = book_of(symbol, row, depth)
    if book is None and not (row is None or _is_empty(row)):
        raise Nonsense("its book is none")
    return book


def _is_empty(row: object) -> bool:
    return isinstance(row, dict) and not row.get("b") and not row.get("a")


def _groups(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Stocks and crypto have requests of their own."""
    for crypto in (False, True):
        of_kind = [symbol for symbol in symbols if is_crypto(symbol) is crypto]
        for start in range(0, len(of_kind), _AT_ONCE):
            yield of_kind[start : start + _AT_ONCE]


def _asked(rest: AlpacaRest, settings: AlpacaSettings, group: list[str]) -> dict[object, object]:
    """Rows by symbol. One symbol that the vendor does not know fails a whole request, which is then made without it."""
    while group:
        try:
            return _rows(_latest(rest, settings, group))
        except Refused as refused:
            named = refused.text.partition("invalid symbol:")[2].strip(' "}')
            if not is_unknown_symbol(refused) or named not in group:
                raise
            group.remove(named)
    return {}


def _latest(rest: AlpacaRest, settings: AlpacaSettings, group: list[str]) -> object:
    if is_crypto(group[0]):
        return rest.crypto.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=group))
    wanted = StockLatestQuoteRequest(symbol_or_symbols=group, feed=DataFeed(settings.feed))
    return rest.stocks.get_stock_latest_quote(wanted)


def _rows(answer: object) -> dict[object, object]:
    if not isinstance(answer, dict):
        raise Nonsense("its answer is no object")
    return answer
