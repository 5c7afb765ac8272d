"""The indicators that can be computed, by name."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.market_data.indicator_desk import IndicatorDesk
from domain.market_data.indicator import Indicator


@dataclass(frozen=True, slots=True)
class ListIndicators:
    """Up to `limit` indicators with a name above `after`; letter case of `text` does not matter.

    Raises PreconditionFailed: PROVIDER_NOT_CONFIGURED when no indicators are installed.
    """

    limit: int
    after: str = ""
    text: str = ""
    group: str = ""

    async def answer(self, desk: IndicatorDesk) -> Sequence[Indicator]:
        found = [one for one in await desk.run(desk.indicators.all) if one.name > self.after and self._takes(one)]
        return found[: self.limit]

    def _takes(self, one: Indicator) -> bool:
        wanted = self.text.casefold()
        named = wanted in one.name.casefold() or wanted in one.display_name.casefold()
        return named and self.group in ("", one.group)
