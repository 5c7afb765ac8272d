"""Which providers there are, and what each can do."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.market_data.market import Market
from application.market_data.providers import Lack
from application.ports.market_data import Capabilities


@dataclass(frozen=True, slots=True)
class ProviderView:
    """`lack` None means that it is available."""

    name: str
    display_name: str
    capabilities: Capabilities
    lack: Lack | None
    is_default: bool


@dataclass(frozen=True, slots=True)
class ListProviders:
    def answer(self, market: Market) -> Sequence[ProviderView]:
        """All of them by name, also those that were never asked."""
        return [
            ProviderView(
                offer.name, offer.display_name, offer.capabilities, offer.lack(), offer.name == market.providers.default
            )
            for offer in market.providers.offers()
        ]
