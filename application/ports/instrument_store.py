"""Instruments as their providers described them last, for the time when one does not answer."""

from typing import Protocol

from domain.market_data.instrument import Instrument


class InstrumentStore(Protocol):
    """Keyed by provider, its revision and the symbol. Raises Unavailable, STORAGE_UNAVAILABLE."""

    async def get(self, provider: str, revision: str, symbol: str) -> Instrument | None:
        """None when it was never kept."""
        ...

    async def keep(self, provider: str, revision: str, instrument: Instrument) -> None:
        """Keep it in place of what was kept of its symbol."""
        ...
