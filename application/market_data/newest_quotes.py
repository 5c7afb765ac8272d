"""The newest quote of each symbol of one provider, and the range of its recent prices."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from application.market_data.board_settings import BoardSettings
from application.ports.quote_cache import ReceivedQuote
from domain.market_data.price_window import PriceWindow
from domain.market_data.quote import Quote

_log = logging.getLogger(__name__)

_LONGEST_WINDOW = Decimal(3_600)
_MOST_PRICES = 10_000


@dataclass(slots=True)
class Newest:
    """`checked` is when the provider last said what is the newest, also if it said that there is none.

    `quote` is what decisions may stand on: None while the newest has one side only.
    """

    checked: datetime
    received: ReceivedQuote | None = None
    quote: Quote | None = None
    window: PriceWindow = field(default_factory=lambda: PriceWindow(_LONGEST_WINDOW, _MOST_PRICES))


class NewestQuotes:
    def __init__(self, provider: str, settings: BoardSettings) -> None:
        self._provider = provider
        self._ahead = timedelta(seconds=settings.ahead_seconds)
        self._most = settings.most_symbols
        self._newest: dict[str, Newest] = {}
        self._skew_told = False

    def get(self, symbol: str) -> Newest | None:
        return self._newest.get(symbol)

    def take(self, received: ReceivedQuote) -> bool:
        """Whether it is news: not older than what is known, and not from a time that is yet to come."""
        quote, at = received
        if quote.quote_time > at + self._ahead:
            self._tell_skew(received)
            return False
        newest = self.checked(quote.symbol, at)
        if newest.received is not None and received.is_older_than(newest.received):
            return False
        newest.received = received
        newest.quote = quote if isinstance(quote, Quote) else None
        if newest.quote is not None:
            newest.window.add(quote.quote_time, newest.quote.mid)
        return True

    def checked(self, symbol: str, at: datetime) -> Newest:
        """Note that the provider was asked, or spoke by itself, at that moment."""
        newest = self._newest.get(symbol)
        if newest is None:
            if len(self._newest) >= self._most:
                del self._newest[next(iter(self._newest))]
            newest = self._newest[symbol] = Newest(at)
        elif newest.checked < at:
            newest.checked = at
        return newest

    def _tell_skew(self, received: ReceivedQuote) -> None:
        if not self._skew_told:
            self._skew_told = True
            ahead = received.quote.quote_time - received.received_time
            _log.warning("quotes of %s are not believed: their time is %s ahead of our clock", self._provider, ahead)
