"""The indicators, filtered and by name."""

import pytest

from adapters.indicators.installed import InstalledIndicators
from application.market_data.indicator_desk import IndicatorDesk
from application.market_data.queries.list_indicators_query import ListIndicators
from domain.errors import PreconditionFailed
from tests.support.indicators import INDICATORS, NAMES


async def _names(query: ListIndicators) -> list[str]:
    desk = IndicatorDesk(INDICATORS)
    found = await query.answer(desk)
    desk.close()
    return [one.name for one in found]


async def test_all_are_listed_by_name() -> None:
    assert await _names(ListIndicators(limit=1_000)) == NAMES


async def test_a_page_begins_behind_a_name_and_has_its_size() -> None:
    assert await _names(ListIndicators(limit=2, after="RSI")) == NAMES[NAMES.index("RSI") + 1 :][:2]


async def test_a_piece_of_either_name_is_found_whatever_its_case() -> None:
    assert await _names(ListIndicators(limit=9, text="bolling")) == ["BBANDS"]
    assert await _names(ListIndicators(limit=9, text="macdf")) == ["MACDFIX"]


async def test_a_group_is_matched_exactly() -> None:
    assert "OBV" in await _names(ListIndicators(limit=999, group="Volume Indicators"))
    assert await _names(ListIndicators(limit=999, group="volume indicators")) == []


async def test_where_nothing_is_installed_the_list_says_what_to_install() -> None:
    desk = IndicatorDesk(InstalledIndicators("a_package_that_is_not_there"))
    with pytest.raises(PreconditionFailed, match=r"pip install -e '\.\[indicators\]'"):
        await ListIndicators(limit=1).answer(desk)
    desk.close()
