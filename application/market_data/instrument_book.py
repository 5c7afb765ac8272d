"""Instruments from their providers, and while one does not answer as it described them last."""

import logging

from application.ports.instrument_store import InstrumentStore
from application.ports.market_data import MarketData
from domain.errors import Throttled, Unavailable
from domain.market_data.instrument import Instrument

_MOST_REMEMBERED = 50_000

_log = logging.getLogger(__name__)


class InstrumentBook:
    """What is kept of an instrument lets bars that are kept be read while its provider is away, also after a start.

    A store that fails changes no answer of a provider.
    """

    def __init__(self, store: InstrumentStore) -> None:
        self._store = store
        self._kept: dict[tuple[str, str, str], Instrument] = {}

    async def find(self, provider: MarketData, symbol: str, *, keeps: bool) -> Instrument | None:
        """Raises what the provider raises, if nothing is kept. With `keeps` its answer is kept."""
        try:
            instrument = await provider.instrument(symbol)
        except (Unavailable, Throttled):
            kept = await self._recall(provider, symbol) if keeps else None
            if kept is None:
                raise
            return kept
        if instrument is not None and keeps:
            await self._keep(provider, instrument)
        return instrument

    async def _recall(self, provider: MarketData, symbol: str) -> Instrument | None:
        known = self._kept.get((provider.name, provider.revision, symbol))
        if known is not None:
            return known
        try:
            return await self._store.get(provider.name, provider.revision, symbol)
        except Unavailable as error:
            _log.warning("instruments cannot be read back: %s", error.__cause__ or error)
            return None

    async def _keep(self, provider: MarketData, instrument: Instrument) -> None:
        key = provider.name, provider.revision, instrument.symbol
        if self._kept.get(key) == instrument:
            return
        if len(self._kept) >= _MOST_REMEMBERED:
            self._kept.clear()
        self._kept[key] = instrument
        try:
            await self._store.keep(provider.name, provider.revision, instrument)
        except Unavailable as error:
            _log.warning("%s is not kept: %s", instrument.symbol, error.__cause__ or error)
