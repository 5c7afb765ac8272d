from typing import Any

import pytest

from application.market_data.queries.get_instrument_query import GetInstrument
from application.market_data.queries.list_instruments_query import ListInstruments
from domain.errors import NotFound
from domain.market_data.instrument import AssetClass
from tests.support.market import simulated


async def test_the_whole_catalogue_comes_by_symbol_and_in_pages() -> None:
    _, provider, market = simulated()
    every = [instrument.symbol for instrument in await provider.instruments()]
    assert every == sorted(every)
    listed: list[str] = []
    while page := await ListInstruments(10, listed[-1] if listed else "").answer(market):
        listed += [view.instrument.symbol for view in page]
    assert listed == every


@pytest.mark.parametrize(
    "filters",
    [
        {"asset_class": AssetClass.CURRENCY},
        {"currency": "EUR"},
        {"venue": "XLON"},
        {"sector": "Energy"},
        {"asset_class": AssetClass.EQUITY, "currency": "USD", "sector": "Energy"},
    ],
    ids=str,
)
async def test_filters_must_all_match(filters: dict[str, Any]) -> None:
    _, provider, market = simulated()
    listed = [view.instrument for view in await ListInstruments(1_000, **filters).answer(market)]
    assert listed == [
        instrument
        for instrument in await provider.instruments()
        if all(getattr(instrument, name) == value for name, value in filters.items())
    ]
    assert listed


async def test_each_instrument_says_whether_its_market_is_open_and_knows_its_near_holidays() -> None:
    _, _, market = simulated()
    share = await GetInstrument("AAPL").answer(market)
    assert (share.state.open, share.state.next_change is not None) == (True, True)
    assert {day.year for day in share.holidays} == {2026, 2027}
    coin = await GetInstrument("BTC/USD").answer(market)
    assert (coin.state.open, coin.state.next_change, coin.holidays) == (True, None, [])


async def test_another_provider_is_not_found() -> None:
    _, _, market = simulated()
    with pytest.raises(NotFound) as refusal:
        await ListInstruments(1, provider="other").answer(market)
    assert refusal.value.reason == "PROVIDER_NOT_FOUND"
