"""What every use case of market data reads: the providers, what is kept of them, and the time."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from application.market_data.bar_catalogue import BarCatalogue
from application.market_data.instrument_book import InstrumentBook
from application.market_data.providers import Providers
from application.market_data.quote_board import QuoteBoard
from application.market_data.source import Source
from application.ports.clock import Clock
from domain.errors import DomainError, NotFound
from domain.market_data.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Market:
    """`board` has the newest quotes, `catalogue` bars, `book` instruments: all ask a provider for what they lack."""

    providers: Providers
    board: QuoteBoard
    catalogue: BarCatalogue
    book: InstrumentBook
    clock: Clock

    async def source(self, symbol: str, provider: str = "") -> Source:
        """The instrument at `provider`, or at the one that serves it.

        Raises NotFound: PROVIDER_NOT_FOUND, INSTRUMENT_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CONFIGURED;
        and what the provider raises when it does not answer.
        """
        name = provider or self.providers.name_for(symbol)
        data, capabilities = await self.providers.get(name), self.providers.offer(name).capabilities
        instrument = await self.book.find(data, symbol, keeps=not capabilities.local)
        if instrument is None:
            raise NotFound(
                f"symbol: no instrument {symbol!r} at {name}",
                reason="INSTRUMENT_NOT_FOUND",
                symbol=symbol,
                provider=name,
            )
        return Source(data, capabilities, instrument)

    async def look_up(self, symbols: Iterable[str], provider: str = "") -> list[Source | DomainError]:
        """For each, in order, its source, or what `source` would have raised."""

        async def find(symbol: str) -> Source | DomainError:
            try:
                return await self.source(symbol, provider)
            except DomainError as error:
                return error

        return await asyncio.gather(*map(find, symbols))

    async def sources(self, symbols: Iterable[str], provider: str = "") -> list[Source]:
        """The source of each, in order; raises as `source` does for the first that has none."""
        found = await self.look_up(symbols, provider)
        for error in found:
            if isinstance(error, DomainError):
                raise error
        return [source for source in found if isinstance(source, Source)]

    async def instruments(self, provider: str = "") -> list[tuple[str, Instrument]]:
        """The catalogue of `provider`; without one, of the providers in use, each instrument once, as the one that
        serves it describes it. Each comes with its provider's name.

        Raises NotFound: PROVIDER_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CONFIGURED; and what a provider raises
        when it does not answer: half a catalogue is none.
        """
        names = (provider,) if provider else self.providers.in_use()
        listed = [(name, one) for name in names for one in await (await self.providers.get(name)).instruments()]
        return listed if provider else [(n, one) for n, one in listed if n == self.providers.name_for(one.symbol)]


def no_market_data(kind: str, symbol: str) -> NotFound:
    """For a known instrument of which there has never been a quote or a book."""
    return NotFound(f"symbol: there is no {kind} of {symbol!r}", reason="MARKET_DATA_NOT_FOUND", symbol=symbol)
