"""An indicator over bars: the same value at the same bar, whoever asks for it and how."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isnan
from random import Random
from typing import Any

import pytest

from application.market_data.indicator_desk import IndicatorDesk
from application.market_data.market import Market
from application.market_data.queries import compute_indicator_query
from application.market_data.queries.compute_indicator_query import ComputeIndicator, IndicatorRows
from application.market_data.queries.list_bars_query import BarsPlace
from domain.errors import DomainError, InvalidArgument, NotFound, OutOfRange, PreconditionFailed
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.indicator import BarField
from tests.support.bar_list import START, SYMBOL, BarList, hourly_bars, market_of, still_running
from tests.support.indicators import INDICATORS, NAMES, a_call, rows_of, same, series

_BARS = hourly_bars(2_600, Random(1), missing=0.1, silence=timedelta(days=200))
_HOURLY = BarInterval.HOUR_1


@pytest.fixture
def desk() -> Iterator[IndicatorDesk]:
    made = IndicatorDesk(INDICATORS)
    yield made
    made.close()


async def _pages(query: ComputeIndicator, market: Market, desk: IndicatorDesk) -> list[IndicatorRows]:
    """All pages from the query's on, as a caller follows them."""
    found: list[IndicatorRows] = []
    place = None
    while True:
        page = await replace(query, place=place).answer(market, desk)
        found.append(page)
        if len(page.bars) <= query.size:
            return found
        place = BarsPlace(page.bars[query.size - 1].open_time, page.end)


def _by_bar(pages: Sequence[IndicatorRows]) -> dict[datetime, tuple[float, ...]]:
    return {
        bar.open_time: values
        for page in pages
        for bar, values in zip(page.bars[: len(page.values)], page.values, strict=True)
    }


@pytest.mark.parametrize("name", NAMES)
async def test_a_value_is_the_same_wherever_and_however_it_is_asked_for(name: str, desk: IndicatorDesk) -> None:
    market = market_of(BarList(_BARS))
    chance = Random(name)
    indicator = INDICATORS.find(name)
    call = a_call(indicator, chance)
    query = ComputeIndicator(
        SYMBOL,
        _HOURLY,
        name,
        size=700,
        parameters={one.name: value for one, value in zip(indicator.parameters, call.parameters, strict=True)},
        inputs={one.name: field for one, field in zip(indicator.inputs, call.fields, strict=True)},
        start=_BARS[-700].open_time,
    )
    expected = _by_bar(await _pages(query, market, desk))
    assert len(expected) == 700
    first = chance.randrange(len(_BARS) - 600, len(_BARS) - 200)
    for other in (
        replace(query, start=None, size=300),
        replace(query, start=_BARS[first].open_time, size=chance.randrange(60, 150)),
        replace(query, start=_BARS[first + 1].open_time, end=_BARS[first + 40].open_time, size=9),
        replace(query, start=START, size=1_700),
    ):
        found = _by_bar(await _pages(other, market, desk))
        shared = found.keys() & expected.keys()
        assert len(shared) >= min(40 - 1, len(found))
        assert all(same(found[at], expected[at]) for at in shared), call


async def test_values_are_those_over_all_history_to_one_part_in_a_thousand_million(desk: IndicatorDesk) -> None:
    market = market_of(BarList(_BARS))
    for name in ("RSI", "MACD", "ADX", "SAR", "BBANDS", "OBV", "KAMA"):
        call = INDICATORS.find(name).call()
        columns = {field: [float(getattr(bar, field.value)) for bar in _BARS] for field in BarField}
        whole = rows_of(INDICATORS.compute(call, series(call, columns)))[-50:]
        found = await ComputeIndicator(SYMBOL, _HOURLY, name, size=50).answer(market, desk)
        for left, right in zip(found.values, whole, strict=True):
            assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


async def test_without_a_start_the_newest_rows_are_given_and_the_running_bar_is_marked(desk: IndicatorDesk) -> None:
    bars = [*_BARS[:-1], still_running(_BARS[-1])]
    market = market_of(BarList(bars), _BARS[-1].open_time + timedelta(minutes=10))
    found = await ComputeIndicator(SYMBOL, _HOURLY, "SMA", size=3).answer(market, desk)
    assert list(found.bars) == bars[-3:]
    assert [bar.partial for bar in found.bars] == [False, False, True]
    assert found.values[-1][0] == pytest.approx(float(sum(bar.close for bar in bars[-30:])) / 30)


async def test_warm_up_is_fewer_bars_only_where_history_begins(desk: IndicatorDesk) -> None:
    market = market_of(BarList(_BARS))
    history = INDICATORS.find("EMA").history
    enough = history.lookback + (history.unstable_period or 0)
    late = await ComputeIndicator(SYMBOL, _HOURLY, "EMA", size=5, start=_BARS[2_000].open_time).answer(market, desk)
    assert enough <= late.warm_up < enough + 256
    early = await ComputeIndicator(SYMBOL, _HOURLY, "EMA", size=50, start=_BARS[10].open_time).answer(market, desk)
    assert early.warm_up == 10
    assert [isnan(row[0]) for row in early.values] == [True] * 19 + [False] * 31
    first = await ComputeIndicator(SYMBOL, _HOURLY, "EMA", size=50, start=START).answer(market, desk)
    assert first.warm_up == 0


async def test_a_function_that_needs_few_bars_reads_few(desk: IndicatorDesk) -> None:
    provider = BarList(_BARS)
    await ComputeIndicator(SYMBOL, _HOURLY, "SMA", size=5, start=_BARS[2_000].open_time).answer(
        market_of(provider), desk
    )
    assert min(request.start for request in provider.requests) > _BARS[1_600].open_time


async def test_a_range_without_bars_has_no_rows(desk: IndicatorDesk) -> None:
    market = market_of(BarList(_BARS))
    early = datetime(1999, 1, 1, tzinfo=UTC)
    found = await ComputeIndicator(SYMBOL, _HOURLY, "MACD", 5, start=early, end=START).answer(market, desk)
    assert found.outputs == ["macd", "macdsignal", "macdhist"]
    assert (len(found.bars), len(found.values), found.warm_up) == (0, 0, 0)


async def test_history_that_is_too_long_to_add_up_is_refused_with_what_helps(
    desk: IndicatorDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute_indicator_query, "MOST_HISTORY", 1_500)
    market = market_of(BarList(_BARS))
    for name, parameters in (("OBV", {}), ("EMA", {"timeperiod": Decimal(100)})):
        query = ComputeIndicator(SYMBOL, _HOURLY, name, 5, parameters, start=_BARS[2_000].open_time)
        with pytest.raises(OutOfRange, match="ask for bars of a longer interval") as refused:
            await query.answer(market, desk)
        assert refused.value.reason == "TIME_RANGE_NOT_COVERED"
        early = await replace(query, start=_BARS[500].open_time).answer(market, desk)
        assert len(early.values) == 5


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"indicator": "NONE"}, NotFound, "there is no indicator 'NONE'"),
        ({"symbol": "XYZ"}, NotFound, "no instrument 'XYZ'"),
        ({"provider": "other"}, NotFound, "no provider 'other'"),
        ({"interval": BarInterval.MINUTE_1}, PreconditionFailed, "has no bars of 1m"),
        ({"extended_hours": True}, PreconditionFailed, "extended_hours"),
        ({"parameters": {"period": Decimal(3)}}, InvalidArgument, r'parameters\["period"\]: there is no such name'),
        ({"parameters": {"timeperiod": Decimal(1)}}, InvalidArgument, "must be at least 2, and is 1"),
        ({"parameters": {"timeperiod": Decimal("2.5")}}, InvalidArgument, "must be a whole number, and is 2.5"),
        ({"inputs": {"high": BarField.LOW}}, InvalidArgument, r'inputs\["high"\]: there is no such name'),
    ],
)
async def test_a_request_that_cannot_be_answered_names_what_is_wrong(
    changed: dict[str, Any], error: type[DomainError], said: str, desk: IndicatorDesk
) -> None:
    query = replace(ComputeIndicator(SYMBOL, _HOURLY, "RSI", 5), **changed)
    with pytest.raises(error, match=said):
        await query.answer(market_of(BarList(_BARS)), desk)


async def test_bars_of_a_remote_provider_are_fetched_once(desk: IndicatorDesk) -> None:
    bars: list[Bar] = list(_BARS)
    provider = BarList(bars)
    market = market_of(provider, bars[-1].close_time + timedelta(days=3), local=False)
    query = ComputeIndicator(SYMBOL, _HOURLY, "RSI", 100, start=bars[1_200].open_time, end=bars[1_300].open_time)
    first = await query.answer(market, desk)
    asked = len(provider.requests)
    assert await query.answer(market, desk) == first
    assert len(provider.requests) == asked
