"""The catalogue, filtered, by symbol."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.market_data.market import Market
from application.market_data.queries.get_instrument_query import InstrumentView, view
from domain.market_data.instrument import AssetClass, Instrument


@dataclass(frozen=True, slots=True)
class ListInstruments:
    """Up to `limit` instruments with a symbol above `after`. Filters that are set must all match.

    Raises NotFound: PROVIDER_NOT_FOUND.
    """

    limit: int
    after: str = ""
    asset_class: AssetClass | None = None
    currency: str = ""
    venue: str = ""
    sector: str = ""
    provider: str = ""

    async def answer(self, market: Market) -> Sequence[InstrumentView]:
        market.require_provider(self.provider)
        found = [one for one in await market.data.instruments() if one.symbol > self.after and self._takes(one)]
        found.sort(key=lambda one: one.symbol)
        now = market.clock.now()
        return [view(one, now) for one in found[: self.limit]]

    def _takes(self, one: Instrument) -> bool:
        return (
            self.asset_class in (None, one.asset_class)
            and self.currency in ("", one.currency)
            and self.venue in ("", one.venue)
            and self.sector in ("", one.sector)
        )
