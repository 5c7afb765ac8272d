import pytest

from application.market_data.market import Market
from application.market_data.queries.search_instruments_query import SearchInstruments
from domain.errors import InvalidArgument
from domain.market_data.instrument import AssetClass
from tests.support.market import simulated


async def found(market: Market, text: str, asset_class: AssetClass | None = None) -> list[str]:
    views = await SearchInstruments(text, 1_000, asset_class=asset_class).answer(market)
    return [view.instrument.symbol for view in views]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("V", ["V", "VOD", "ALV", "AMD", "ASML", "AVGO", "CVX", "DIA", "MC", "NVDA", "QQQ"]),
        ("sap", ["SAP"]),
        ("micro", ["MSFT", "AMD"]),
        ("apple  inc", ["AAPL"]),
        ("xyz", []),
    ],
)
async def test_the_same_symbol_comes_first_then_beginnings_then_what_contains_the_text(
    text: str, symbols: list[str]
) -> None:
    _, _, market = simulated()
    assert await found(market, text) == symbols


async def test_ranks_go_from_symbol_to_name_and_within_a_rank_by_symbol() -> None:
    _, _, market = simulated()
    hits = await found(market, "a")
    symbols = [symbol for symbol in hits if symbol.startswith("A")]
    assert hits[: len(symbols)] == symbols == sorted(symbols)
    assert len(hits) > len(symbols)


async def test_pages_go_on_behind_the_place_of_the_last_match() -> None:
    _, _, market = simulated()
    every = await found(market, "in")
    paged: list[str] = []
    after = ""
    while True:
        query = SearchInstruments("in", 3, after)
        views = await query.answer(market)
        if not views:
            break
        paged += [view.instrument.symbol for view in views]
        after = query.place(views[-1].instrument)
    assert paged == every
    assert len(every) > 6


async def test_only_the_asset_class_that_was_asked_for_is_found() -> None:
    _, _, market = simulated()
    assert await found(market, "usd", asset_class=AssetClass.EQUITY) == []
    coins = await found(market, "usd", asset_class=AssetClass.CRYPTO)
    assert "BTC/USD" in coins
    assert "EUR/USD" not in coins


async def test_a_query_of_spaces_is_refused() -> None:
    _, _, market = simulated()
    with pytest.raises(InvalidArgument, match="query: must have a character"):
        await found(market, "   ")
