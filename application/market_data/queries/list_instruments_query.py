"""The catalogue, filtered, by symbol."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.market_data.market import Market
from application.market_data.queries.get_instrument_query import InstrumentView, view
from domain.market_data.instrument import AssetClass, Instrument, InstrumentStatus


@dataclass(frozen=True, slots=True)
class ListInstruments:
    """Up to `limit` instruments with a symbol above `after`. Filters that are set must all match; without a
    `status` every one but DELISTED does.

    Raises as Market.instruments does.
    """

    limit: int
    after: str = ""
    asset_class: AssetClass | None = None
    currency: str = ""
    venue: str = ""
    sector: str = ""
    status: InstrumentStatus | None = None
    provider: str = ""

    async def answer(self, market: Market) -> Sequence[InstrumentView]:
        listed = await market.instruments(self.provider)
        found = [(name, one) for name, one in listed if one.symbol > self.after and self._takes(one)]
        found.sort(key=lambda listing: listing[1].symbol)
        now = market.clock.now()
        return [view(name, one, now) for name, one in found[: self.limit]]

    def _takes(self, one: Instrument) -> bool:
        return (
            self.asset_class in (None, one.asset_class)
            and (one.status is self.status if self.status else one.status is not InstrumentStatus.DELISTED)
            and self.currency in ("", one.currency)
            and self.venue in ("", one.venue)
            and self.sector in ("", one.sector)
        )
