"""What is quoted and printed on a simulated price path, at any moment."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from adapters.market_data.simulation_catalogue import Listing
from adapters.market_data.simulation_path import CLOSE, LOTS, SLOT, PricePath
from adapters.market_data.simulation_random import Level, fractions, stream
from adapters.market_data.simulation_sessions import SessionCalendar
from domain.market_data.quote import OrderBook, PriceLevel, Quote, Trade

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_INSTANT = timedelta(microseconds=1)


class SimulatedTape:
    """Quotes, depth and prints of one instrument. Quotes change with each `tick` since the epoch.

    The last print lies within the quote. What a bar holds are these prints, and no others.
    """

    def __init__(self, listing: Listing, key: int, tick: timedelta, path: PricePath, calendar: SessionCalendar) -> None:
        self._listing = listing
        self._symbol = listing.instrument.symbol
        self._tick_size = listing.instrument.tick_size
        self._price_unit = float(listing.instrument.tick_size)
        self._lot_size = listing.instrument.lot_size
        self._key = key
        self._tick = tick
        self._path = path
        self._calendar = calendar

    def quote(self, moment: datetime) -> Quote | None:
        """The quote at `moment`, or the last one of the session before it; None before all sessions."""
        day = self._calendar.before(moment)
        if day is None:
            return None
        number = (min(moment, day.close - _INSTANT) - EPOCH) // self._tick
        time = max(EPOCH + number * self._tick, day.open)
        minute, elapsed = divmod(time - day.open, _MINUTE)
        prints = self._path.prints(day, minute)
        printed = int(np.searchsorted(prints.slots, elapsed // SLOT, side="right"))
        # The first print of a minute repeats the last one of the minute before.
        return self._quoted(float(prints.spans[CLOSE, max(0, printed - 1)]), number, time)

    def order_book(self, quote: Quote, depth: int) -> OrderBook:
        """`depth` levels a side behind `quote`; fewer bids where the price would not be above zero."""
        return OrderBook(
            symbol=quote.symbol,
            bids=tuple(self._side(Level.BIDS, quote, quote.bid_price, quote.bid_size, -self._tick_size, depth)),
            asks=tuple(self._side(Level.ASKS, quote, quote.ask_price, quote.ask_size, self._tick_size, depth)),
            book_time=quote.quote_time,
        )

    def trades(self, after: datetime, until: datetime) -> Iterator[Trade]:
        """The prints after `after` and up to `until`, oldest first."""
        start, end = after + _INSTANT, until + _INSTANT
        for day in self._calendar.overlapping(start, end):
            first = max(0, (start - day.open) // _MINUTE)
            for minute in range(first, -((day.open - min(end, day.close)) // _MINUTE)):
                begins = day.open + minute * _MINUTE
                prints = self._path.prints(day, minute)
                columns = (prints.slots.tolist(), prints.spans[CLOSE].tolist(), prints.spans[LOTS].tolist())
                for slot, price, lots in zip(*columns, strict=True):
                    if start <= (time := begins + slot * SLOT) < end:
                        yield self._trade(time, price, lots)

    def _trade(self, time: datetime, price: float, lots: float) -> Trade:
        return Trade(
            symbol=self._symbol,
            trade_id=str((time - EPOCH) // SLOT),
            price=round(price / self._price_unit) * self._tick_size,
            size=Decimal(lots) * self._lot_size,
            trade_time=time,
        )

    def _quoted(self, last_price: float, number: int, time: datetime) -> Quote:
        wide, below, bid, ask = fractions(stream(self._key, Level.QUOTES, number))
        last = round(last_price / self._price_unit)
        spread = max(1, round(last * self._listing.spread * (0.6 + 0.8 * wide)))
        best_bid = last - int(spread * (0.25 + 0.5 * below) + 0.5)
        return Quote(
            symbol=self._symbol,
            bid_price=best_bid * self._tick_size,
            bid_size=self._listing.quote_lots * (1 + int(8 * bid * bid)) * self._lot_size,
            ask_price=(best_bid + spread) * self._tick_size,
            ask_size=self._listing.quote_lots * (1 + int(8 * ask * ask)) * self._lot_size,
            quote_time=time,
        )

    def _side(
        self, level: Level, quote: Quote, price: Decimal, size: Decimal, step: Decimal, depth: int
    ) -> Iterator[PriceLevel]:
        """One side of the book, from the best price away: gaps of up to half the spread, growing sizes."""
        gap = int((quote.ask_price - quote.bid_price) / self._tick_size) // 2
        state = stream(self._key, level, (quote.quote_time - EPOCH) // self._tick)
        for position in range(depth):
            if position:
                away, more, *_ = fractions(stream(state, level, position))
                price += step * (1 + int(gap * away))
                size += self._listing.quote_lots * (1 + int(4 * more)) * self._lot_size
            if price <= 0:
                return
            yield PriceLevel(price, size)
