"""The best bid and offer of one instrument, or of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.market_data.market import Market, no_market_data
from application.market_data.market_hours import last_session_before
from application.market_data.source import Source
from application.ports.market_data import DataKind
from application.ports.quote_cache import ReceivedQuote
from domain.errors import DomainError, Unavailable
from domain.market_data.quote import TopOfBook


@dataclass(frozen=True, slots=True)
class QuoteFound:
    quote: TopOfBook
    provider: str
    received_time: datetime


@dataclass(frozen=True, slots=True)
class QuotesFound:
    quotes: Sequence[QuoteFound]
    failures: Sequence[tuple[str, DomainError]]


@dataclass(frozen=True, slots=True)
class BatchGetQuotes:
    """The quote of each symbol, in order; a symbol's failure is what GetQuote raises.

    `max_age` None takes any quote. While the market is closed, one of its last session is young enough.
    """

    symbols: Sequence[str]
    provider: str = ""
    max_age: timedelta | None = None

    async def answer(self, market: Market) -> QuotesFound:
        sources = await market.look_up(self.symbols, self.provider)
        able = [one for one in sources if isinstance(one, Source) and DataKind.QUOTES in one.capabilities.requests]
        oldest = {source.symbol: self._oldest(market, source) for source in able}
        known = await market.board.quotes(able, oldest)
        quotes, failures = list[QuoteFound](), list[tuple[str, DomainError]]()
        for symbol, source in zip(self.symbols, sources, strict=True):
            try:
                if isinstance(source, DomainError):
                    raise source
                source.require(DataKind.QUOTES)
                quotes.append(_young(source, known.get(symbol), oldest[symbol]))
            except DomainError as error:
                failures.append((symbol, error))
        return QuotesFound(quotes, failures)

    def _oldest(self, market: Market, source: Source) -> datetime | None:
        """When a quote must have been made to be young enough; None for any."""
        if self.max_age is None:
            return None
        now = market.clock.now()
        session = last_session_before(source.instrument.hours, now)
        closed = session is not None and session.close <= now
        return min(session.open, now - self.max_age) if session and closed else now - self.max_age


@dataclass(frozen=True, slots=True)
class GetQuote:
    """Raises as Market.source does; NotFound: MARKET_DATA_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CAPABLE;
    Unavailable: MARKET_DATA_UNAVAILABLE when no quote is young enough.
    """

    symbol: str
    provider: str = ""
    max_age: timedelta | None = None

    async def answer(self, market: Market) -> QuoteFound:
        found = await BatchGetQuotes((self.symbol,), self.provider, self.max_age).answer(market)
        for _, error in found.failures:
            raise error
        return found.quotes[0]


def _young(source: Source, found: ReceivedQuote | DomainError | None, oldest: datetime | None) -> QuoteFound:
    if found is None:
        raise no_market_data("quote", source.symbol)
    if isinstance(found, DomainError):
        raise found
    quote = found.quote
    if oldest is not None and quote.quote_time < oldest:
        raise Unavailable(
            f"max_age: the newest quote of {source.symbol!r} is of {quote.quote_time.isoformat()}",
            reason="MARKET_DATA_UNAVAILABLE",
            symbol=source.symbol,
            quote_time=quote.quote_time.isoformat(),
        )
    return QuoteFound(quote, source.provider.name, found.received_time)
