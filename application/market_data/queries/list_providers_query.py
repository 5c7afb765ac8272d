"""Which providers there are, and what each can do."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.market_data.market import Market
from application.market_data.topics import Channel
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import AssetClass

MOST_LEVELS = 1_000


@dataclass(frozen=True, slots=True)
class ProviderView:
    """What can be had from a provider through the MarketData port."""

    name: str
    asset_classes: tuple[AssetClass, ...]
    request_channels: tuple[Channel, ...]
    stream_channels: tuple[Channel, ...]
    intervals: tuple[BarInterval, ...]
    max_book_depth: int


@dataclass(frozen=True, slots=True)
class ListProviders:
    async def answer(self, market: Market) -> Sequence[ProviderView]:
        classes = {instrument.asset_class for instrument in await market.data.instruments()}
        return [
            ProviderView(
                name=market.data.name,
                asset_classes=tuple(kind for kind in AssetClass if kind in classes),
                request_channels=(Channel.QUOTES, Channel.BARS, Channel.ORDER_BOOK),
                stream_channels=(Channel.QUOTES, Channel.TRADES, Channel.BARS, Channel.ORDER_BOOK),
                intervals=tuple(BarInterval),
                max_book_depth=MOST_LEVELS,
            )
        ]
