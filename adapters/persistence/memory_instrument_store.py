"""The InstrumentStore port in process."""

from domain.market_data.instrument import Instrument


class MemoryInstrumentStore:
    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], Instrument] = {}

    async def get(self, provider: str, revision: str, symbol: str) -> Instrument | None:
        return self._kept.get((provider, revision, symbol))

    async def keep(self, provider: str, revision: str, instrument: Instrument) -> None:
        self._kept[provider, revision, instrument.symbol] = instrument
