"""The newest quotes of all providers: what decisions read in memory, and what queries and feeds ask for."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from application.market_data.board_settings import BoardSettings
from application.market_data.provider_quotes import ProviderQuotes
from application.market_data.providers import Providers
from application.market_data.source import Source
from application.ports.clock import Clock
from application.ports.market_data import LatestQuotes
from application.ports.quote_cache import QuoteCache, ReceivedQuote
from domain.errors import DomainError
from domain.market_data.instrument import Instrument
from domain.market_data.quote import Quote, TopOfBook

__all__ = ["BoardSettings", "QuoteBoard"]

_log = logging.getLogger(__name__)

_MOST_ROUTES = 100_000


class QuoteBoard:
    """The LatestQuotes port over all providers: each symbol is read from the one that serves it.

    A provider that has its quotes in memory is read directly. Of the others, a symbol that a decision is about is
    kept fresh, and followed live for a while where that is possible.
    """

    def __init__(self, providers: Providers, cache: QuoteCache, clock: Clock, settings: BoardSettings) -> None:
        self._providers = providers
        self._cache = cache
        self._clock = clock
        self._settings = settings
        self._lines: dict[str, ProviderQuotes] = {}
        # By symbol, because to find a route takes longer than to read a quote.
        self._serving: dict[str, LatestQuotes] = {}

    async def start(self) -> None:
        """Open what serves without being asked over a line, so that the first order finds it open."""
        for name in self._providers.in_use():
            if self._providers.offer(name).capabilities.local:
                try:
                    await self._line(name).open()
                except DomainError as error:
                    _log.warning("%s", error.message)

    async def close(self) -> None:
        """End what follows the providers; they are closed by who opened them, and so is the cache."""
        await asyncio.gather(*(line.close() for line in self._lines.values()))

    # -- LatestQuotes --------------------------------------------------------------------------------

    def instrument(self, symbol: str) -> Instrument | None:
        return (self._serving.get(symbol) or self._route(symbol)).instrument(symbol)

    def latest(self, symbol: str) -> Quote | None:
        return (self._serving.get(symbol) or self._route(symbol)).latest(symbol)

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        return (self._serving.get(symbol) or self._route(symbol)).price_range(symbol, seconds)

    def wants(self, symbol: str) -> bool:
        return (self._serving.get(symbol) or self._route(symbol)).wants(symbol)

    async def ensure(self, symbols: Collection[str]) -> None:
        served: defaultdict[LatestQuotes, list[str]] = defaultdict(list)
        for symbol in symbols:
            served[self._route(symbol)].append(symbol)
        await asyncio.gather(*(serving.ensure(theirs) for serving, theirs in served.items()))

    # -- for queries and feeds -----------------------------------------------------------------------

    async def quotes(
        self, sources: Sequence[Source], oldest: Mapping[str, datetime | None]
    ) -> Mapping[str, ReceivedQuote | DomainError]:
        """The newest quote of each source, by symbol, one-sided ones too; those that have none are left out.

        A quote that was made at `oldest` or later is answered as it is known; otherwise the provider is asked, and
        its answer given, whatever its age. With None (or no entry) any quote will do: what was heard a moment ago is
        given as it is, what is older if the provider fails. Else a failure is that symbol's: Unavailable, Throttled,
        PreconditionFailed.
        """
        by_provider: defaultdict[str, list[Source]] = defaultdict(list)
        for source in sources:
            by_provider[source.provider.name].append(source)
        found = await asyncio.gather(*(self._line(name).find(its, oldest) for name, its in by_provider.items()))
        return {symbol: outcome for of_one in found for symbol, outcome in of_one.items()}

    async def newest(self, source: Source) -> TopOfBook | None:
        """The quote as the provider has it now, asked for unless it was a moment ago. Raises what that fails of."""
        return await self._line(source.provider.name).refreshed(source)

    def known(self, source: Source) -> TopOfBook | None:
        """The newest quote in memory, however old."""
        line = self._line(source.provider.name)
        line.adopt(source.provider)
        known = line.known(source.symbol)
        return None if known is None else known.quote

    def offer(self, provider: str, quote: TopOfBook) -> None:
        """Put a quote on the board that came by a stream."""
        self._line(provider).offer(quote)

    # -- routes --------------------------------------------------------------------------------------

    def _route(self, symbol: str) -> LatestQuotes:
        serving = self._serving.get(symbol)
        if serving is None:
            line = self._line(self._providers.name_for(symbol))
            if len(self._serving) >= _MOST_ROUTES:
                self._serving.clear()
            serving = self._serving[symbol] = line.in_memory or line
        return serving

    def _line(self, name: str) -> ProviderQuotes:
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = ProviderQuotes(
                name, self._providers, self._cache, self._clock, self._settings, self._opened
            )
        return line

    def _opened(self, in_memory: LatestQuotes) -> None:
        """A provider is read directly from now on."""
        self._serving.clear()
