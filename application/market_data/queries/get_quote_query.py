"""The best bid and offer of one instrument, or of many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from application.market_data.market import Market, no_market_data
from application.market_data.market_hours import last_session_before
from domain.errors import DomainError, Unavailable
from domain.market_data.instrument import Instrument
from domain.market_data.quote import Quote


@dataclass(frozen=True, slots=True)
class GetQuote:
    """`max_age` None takes any quote. While the market is closed, one of its last session is young enough.

    Raises NotFound: INSTRUMENT_NOT_FOUND, MARKET_DATA_NOT_FOUND, PROVIDER_NOT_FOUND; Unavailable:
    MARKET_DATA_UNAVAILABLE when no quote is young enough.
    """

    symbol: str
    provider: str = ""
    max_age: timedelta | None = None

    async def answer(self, market: Market) -> Quote:
        market.require_provider(self.provider)
        instrument = market.instrument(self.symbol)
        await _refresh(market, (instrument,), self.max_age)
        return _young(market, instrument, self.max_age)


@dataclass(frozen=True, slots=True)
class QuotesFound:
    quotes: Sequence[Quote]
    failures: Sequence[tuple[str, DomainError]]


@dataclass(frozen=True, slots=True)
class BatchGetQuotes:
    """As GetQuote for each symbol, in order; what it would have raised is that symbol's failure."""

    symbols: Sequence[str]
    provider: str = ""
    max_age: timedelta | None = None

    async def answer(self, market: Market) -> QuotesFound:
        known = filter(None, map(market.quotes.instrument, self.symbols))
        await _refresh(market, known, self.max_age)
        quotes, failures = list[Quote](), list[tuple[str, DomainError]]()
        for symbol in self.symbols:
            try:
                market.require_provider(self.provider)
                quotes.append(_young(market, market.instrument(symbol), self.max_age))
            except DomainError as error:
                failures.append((symbol, error))
        return QuotesFound(quotes, failures)


async def _refresh(market: Market, instruments: Iterable[Instrument], max_age: timedelta | None) -> None:
    """Have the provider fetch those of which there is no quote, or none that is young enough."""
    stale = [
        one.symbol
        for one in instruments
        if (quote := market.quotes.latest(one.symbol)) is None or not _is_young(market, one, quote, max_age)
    ]
    if stale:
        await market.quotes.ensure(stale)


def _young(market: Market, instrument: Instrument, max_age: timedelta | None) -> Quote:
    quote = market.quotes.latest(instrument.symbol)
    if quote is None:
        raise no_market_data("quote", instrument.symbol)
    if not _is_young(market, instrument, quote, max_age):
        raise Unavailable(
            f"max_age: the newest quote of {instrument.symbol!r} is of {quote.quote_time.isoformat()}",
            reason="MARKET_DATA_UNAVAILABLE",
            symbol=instrument.symbol,
            quote_time=quote.quote_time.isoformat(),
        )
    return quote


def _is_young(market: Market, instrument: Instrument, quote: Quote, max_age: timedelta | None) -> bool:
    now = market.clock.now()
    if max_age is None or now - quote.quote_time <= max_age:
        return True
    session = last_session_before(instrument.hours, now)
    return session is not None and session.open <= quote.quote_time and session.close <= now
