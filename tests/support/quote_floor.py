"""A quote board of one provider that a test speaks for, on a clock that the test moves."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from application.market_data.providers import Offer, Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from application.market_data.source import Source
from application.ports.quote_cache import ReceivedQuote
from domain.errors import DomainError, Unavailable
from tests.support.market import FRIDAY_NOON, settle
from tests.support.provider import ASKED, STREAMED, SpokenMarketData
from tests.support.trading import instrument

SETTINGS = BoardSettings(fetch_timeout_seconds=0.1)


def providers(
    *spoken: SpokenMarketData, routes: tuple[tuple[str, str], ...] = (), more: tuple[Offer, ...] = ()
) -> Providers:
    return Providers([*more, *(one.offer() for one in spoken)], spoken[0].name, routes)


@dataclass
class Floor:
    clock: ManualClock
    live: SpokenMarketData
    cache: MemoryQuoteCache
    board: QuoteBoard

    def source(self, symbol: str) -> Source:
        return Source(self.live, self.live.capabilities, instrument(symbol))

    async def find(self, symbol: str, oldest: datetime | None = None) -> ReceivedQuote | DomainError | None:
        return (await self.board.quotes([self.source(symbol)], {symbol: oldest})).get(symbol)

    async def pass_time(self, seconds: float) -> None:
        """Move the clock, and let whoever waits for it do what it does, opening a provider included."""
        self.clock.advance(seconds)
        await settle()

    async def down(self, symbol: str = "AAPL") -> None:
        """An outage has begun because of a request for the symbol, which was known before."""
        self.live.error = Unavailable("it is down", reason="MARKET_DATA_UNAVAILABLE")
        await self.board.ensure([symbol])
        assert not self.board.wants(symbol)


@asynccontextmanager
async def floors() -> AsyncIterator[Callable[..., Floor]]:
    """Builds floors, and closes their boards in the end."""
    boards: list[QuoteBoard] = []

    def one(streams: bool = False, **settings: float) -> Floor:
        clock = ManualClock(FRIDAY_NOON)
        live = SpokenMarketData(clock, capabilities=STREAMED if streams else ASKED)
        live.list("AAPL", "MSFT")
        cache = MemoryQuoteCache(clock)
        changed = replace(SETTINGS, **settings)  # type: ignore[arg-type]  # values of each field's type
        boards.append(QuoteBoard(providers(live), cache, clock, changed))
        return Floor(clock, live, cache, boards[-1])

    yield one
    for board in boards:
        await board.close()
