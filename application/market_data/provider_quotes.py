"""The newest quotes of one provider that has to be asked: in memory, and how they get there."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from application.market_data.board_settings import BoardSettings
from application.market_data.known_instruments import KnownInstruments
from application.market_data.newest_quotes import NewestQuotes
from application.market_data.outage import Outage
from application.market_data.providers import Providers
from application.market_data.quote_sharing import QuoteSharing
from application.market_data.quote_watch import QuoteWatch
from application.market_data.shared_requests import SharedRequests
from application.market_data.source import Source
from application.ports.clock import Clock
from application.ports.market_data import DataKind, InMemory, LatestQuotes, MarketData, Subscribed
from application.ports.quote_cache import QuoteCache, ReceivedQuote
from domain.errors import DomainError, Unavailable
from domain.market_data.instrument import Instrument
from domain.market_data.quote import Quote, TopOfBook

_log = logging.getLogger(__name__)


class ProviderQuotes:
    """The LatestQuotes port for the symbols of one provider, and what queries ask of it.

    A provider is opened when it is first needed; `opened` is told of one that has all in memory, which is then to be
    read directly.
    """

    def __init__(
        self,
        name: str,
        providers: Providers,
        cache: QuoteCache,
        clock: Clock,
        settings: BoardSettings,
        opened: Callable[[LatestQuotes], None],
    ) -> None:
        can = providers.offer(name).capabilities
        self.name = name
        self.in_memory: LatestQuotes | None = None
        self._providers = providers
        self._cache = cache
        self._clock = clock
        self._seconds = settings.fetch_timeout_seconds
        self._fresh = timedelta(seconds=settings.fresh_seconds)
        self._quiet = timedelta(seconds=settings.quiet_seconds)
        self._opened = opened
        self._closed = False
        self._data: MarketData | None = None
        self._asks = DataKind.QUOTES in can.requests
        self._instruments = KnownInstruments(clock, settings)
        self._newest = NewestQuotes(name, settings)
        self._outage = Outage(name, clock, settings, self._probe)
        self._failed: list[str] = []
        self._sharing = QuoteSharing(name, cache, clock, settings.share_seconds)
        most = min(settings.most_watched, can.max_stream_symbols or settings.most_watched)
        streams = DataKind.QUOTES in can.streams
        self._watch = QuoteWatch(name, most if streams else 0, self._live, self.offer, clock, settings)
        self._requests = SharedRequests(name, self._ask)

    # -- LatestQuotes --------------------------------------------------------------------------------

    def instrument(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol)

    def latest(self, symbol: str) -> Quote | None:
        newest = self._newest.get(symbol)
        return None if newest is None else newest.quote

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        newest = self._newest.get(symbol)
        return None if newest is None else newest.window.range(self._clock.now(), seconds)

    def wants(self, symbol: str) -> bool:
        """Not while the provider is down: then the board finds out by itself when it is back."""
        if self._outage.lasts:
            return False
        now = self._clock.now()
        if self._data is None or self._instruments.wants(symbol, now):
            return True
        if self._instruments.get(symbol) is None:
            return False
        return (self._asks and self._is_stale(symbol, now)) or self._watch.wants(symbol, now)

    async def ensure(self, symbols: Collection[str]) -> None:
        wanted = [symbol for symbol in symbols if self.wants(symbol)]
        if not wanted:
            return
        error = await self._try_to_prepare(wanted)
        if error is not None:
            self._missed(wanted, error)

    # -- for queries and feeds -----------------------------------------------------------------------

    def known(self, symbol: str) -> ReceivedQuote | None:
        """The newest, one-sided ones too, however old."""
        if self.in_memory is not None:
            quote = self.in_memory.latest(symbol)
            return None if quote is None else ReceivedQuote(quote, self._clock.now())
        newest = self._newest.get(symbol)
        return None if newest is None else newest.received

    async def find(
        self, sources: Sequence[Source], oldest: Mapping[str, datetime | None]
    ) -> dict[str, ReceivedQuote | DomainError]:
        """As QuoteBoard.quotes, for sources of this provider."""
        self.adopt(sources[0].provider)
        errors: Mapping[str, DomainError] = {}
        if self.in_memory is None:
            for source in sources:
                self._instruments.put(source.instrument)
            missing = [one.symbol for one in sources if not self._serves(one.symbol, oldest.get(one.symbol))]
            await self._recall(missing)
            missing = [symbol for symbol in missing if not self._serves(symbol, oldest.get(symbol))]
            errors = await self._requests.make(missing) if self._asks else {}
        found: dict[str, ReceivedQuote | DomainError] = {}
        for source in sources:
            symbol = source.symbol
            known, error = self.known(symbol), errors.get(symbol)
            if error is not None and (known is None or oldest.get(symbol) is not None):
                found[symbol] = error
            elif known is not None:
                found[symbol] = known
        return found

    async def refreshed(self, source: Source) -> TopOfBook | None:
        """The newest quote as the provider has it now. Raises what the provider fails of."""
        self.adopt(source.provider)
        symbol = source.symbol
        if self.in_memory is None:
            self._instruments.put(source.instrument)
            if self._asks and self._is_stale(symbol, self._clock.now()):
                for error in (await self._requests.make([symbol])).values():
                    raise error
        known = self.known(symbol)
        return None if known is None else known.quote

    def offer(self, quote: TopOfBook) -> None:
        """Take a quote that somebody follows the provider for."""
        if self.in_memory is None:
            self._take(ReceivedQuote(quote, self._clock.now()))

    async def open(self) -> MarketData:
        """Raises as Providers.get does."""
        if self._data is None:
            return self.adopt(await self._providers.get(self.name))
        return self._data

    def adopt(self, data: MarketData) -> MarketData:
        """Take the provider as it was opened elsewhere."""
        if self._data is None:
            self._data = data
            if isinstance(data, InMemory):
                self.in_memory = data.in_memory
                self._opened(data.in_memory)
        return data

    async def close(self) -> None:
        """From now on nothing is asked for."""
        self._closed = True
        ending: list[asyncio.Task[Any]] = [*self._outage.close(), *self._sharing.close(), *self._watch.close()]
        ending += [*self._instruments.close(), *self._requests.close()]
        if ending:
            await asyncio.wait(ending)

    # -- asking --------------------------------------------------------------------------------------

    async def _try_to_prepare(self, symbols: Sequence[str]) -> DomainError | None:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._prepare(symbols)
        except DomainError as error:
            return error
        except TimeoutError:
            return self._no_answer()
        except Exception:
            # Whoever decides finds no fresh quote, which is answer enough.
            return self._fault()

    async def _prepare(self, symbols: Sequence[str]) -> DomainError | None:
        data = await self.open()
        if self.in_memory is not None:
            await self.in_memory.ensure(symbols)
            return None
        unread = await self._instruments.read(symbols, data.instrument, self._seconds)
        if self._closed or (unread is not None and self._outage.lasts):
            return unread
        known = [symbol for symbol in symbols if self._instruments.get(symbol) is not None]
        for symbol in known:
            self._watch.keep(symbol)
        await self._recall(self._stale(known))
        errors = await self._requests.make(self._stale(known)) if self._asks else {}
        return next(iter(errors.values()), None)

    async def _probe(self) -> DomainError | None:
        """Whether it answers for what it failed of; not for a symbol that perhaps nobody could answer for."""
        known = [symbol for symbol in self._failed if self._instruments.get(symbol) is not None]
        return await self._try_to_prepare(known or self._failed[:1])

    def _live(self, symbol: str) -> AsyncIterator[TopOfBook | Subscribed]:
        if self._data is None:
            raise self._unavailable("it is not open")
        return self._data.quotes((symbol,))

    async def _recall(self, symbols: Collection[str]) -> None:
        """Take what the cache has of them."""
        if not symbols:
            return
        recalled = await self._cache.get_many(self.name, symbols)
        now = self._clock.now()
        for received in recalled.values():
            self._newest.take(received._replace(received_time=min(received.received_time, now)))

    async def _ask(self, symbols: Sequence[str]) -> DomainError | None:
        try:
            async with asyncio.timeout(self._seconds):
                quotes = await (await self.open()).latest_quotes(symbols)
        except DomainError as error:
            return self._missed(symbols, error)
        except TimeoutError:
            return self._missed(symbols, self._no_answer())
        except Exception:
            return self._missed(symbols, self._fault())
        now = self._clock.now()
        for symbol in symbols:
            self._newest.checked(symbol, now)
        for quote in quotes:
            self._take(ReceivedQuote(quote, now))
        self._outage.ended()
        return None

    def _missed(self, symbols: Sequence[str], error: DomainError) -> DomainError:
        if not self._outage.lasts:
            self._failed = list(symbols)
            self._outage.began(error)
        return error

    def _take(self, received: ReceivedQuote) -> None:
        if self._newest.take(received):
            self._sharing.put(received)

    # -- what is fresh -------------------------------------------------------------------------------

    def _stale(self, symbols: Iterable[str]) -> list[str]:
        now = self._clock.now()
        return [symbol for symbol in symbols if self._is_stale(symbol, now)]

    def _is_stale(self, symbol: str, now: datetime) -> bool:
        newest = self._newest.get(symbol)
        if newest is None:
            return True
        return now - newest.checked >= (self._quiet if self._watch.is_live(symbol) else self._fresh)

    def _serves(self, symbol: str, oldest: datetime | None) -> bool:
        """Whether what is known answers a query: asking again would not be told apart."""
        newest = self._newest.get(symbol)
        if newest is None:
            return False
        if oldest is None:
            return not self._is_stale(symbol, self._clock.now())
        received = newest.received
        return newest.checked >= oldest or (received is not None and received.quote.quote_time >= oldest)

    def _fault(self) -> Unavailable:
        """Of an adapter's or ours: told in full once, and to callers without a word of it."""
        if not self._outage.lasts:
            _log.exception("quotes of %s cannot be read", self.name)
        return self._unavailable("its quotes cannot be read")

    def _no_answer(self) -> Unavailable:
        return self._unavailable(f"it does not answer within {self._seconds:g} s")

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(f"{self.name}: {what}", reason="MARKET_DATA_UNAVAILABLE", provider=self.name)
