"""ListIndicators and ComputeIndicator as the service answers them."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from domain.errors import InvalidArgument
from quantmesh.marketdata.v1 import bar_pb2, indicator_pb2
from quantmesh.marketdata.v1.indicator_query_pb2 import ComputeIndicatorRequest, ListIndicatorsRequest
from server.mapping.common import to_timestamp
from server.paging import InvalidPageToken
from server.services.indicators import IndicatorQueries
from tests.support.bar_list import SYMBOL, BarList, hourly_bars, market_of, still_running
from tests.support.indicators import INDICATORS, NAMES

_HOURLY = hourly_bars(1_500, Random(5), missing=0.05)
_BARS = [*_HOURLY[:-1], still_running(_HOURLY[-1])]
_NO_CONTEXT: Any = None


@pytest.fixture
def service() -> IndicatorQueries:
    return IndicatorQueries(market_of(BarList(_BARS), _BARS[-1].open_time + timedelta(minutes=7)), INDICATORS)


def _request(**fields: Any) -> ComputeIndicatorRequest:
    made = ComputeIndicatorRequest(symbol=SYMBOL, interval=bar_pb2.BAR_INTERVAL_ONE_HOUR, indicator="BBANDS")
    made.MergeFrom(ComputeIndicatorRequest(**fields))
    return made


async def _all_rows(service: IndicatorQueries, request: ComputeIndicatorRequest) -> list[indicator_pb2.IndicatorRow]:
    rows: list[indicator_pb2.IndicatorRow] = []
    while True:
        answer = await service.ComputeIndicator(request, _NO_CONTEXT)
        assert len(answer.rows) <= (request.page_size or 1_000)
        rows += answer.rows
        if not answer.next_page_token:
            return rows
        request.page_token = answer.next_page_token


def _texts(rows: Sequence[indicator_pb2.IndicatorRow]) -> dict[int, tuple[str, ...]]:
    return {row.open_time.seconds: tuple(row.values) for row in rows}


async def test_every_indicator_is_listed_over_pages(service: IndicatorQueries) -> None:
    request, names = ListIndicatorsRequest(page_size=90), list[str]()
    for more in (True, True, False):
        answer = await service.ListIndicators(request, _NO_CONTEXT)
        names += [one.name for one in answer.indicators]
        assert bool(answer.next_page_token) is more
        request.page_token = answer.next_page_token
    assert names == NAMES


async def test_a_token_of_another_list_is_refused(service: IndicatorQueries) -> None:
    answer = await service.ListIndicators(ListIndicatorsRequest(page_size=1), _NO_CONTEXT)
    with pytest.raises(InvalidPageToken):
        await service.ListIndicators(
            ListIndicatorsRequest(page_size=1, page_token=answer.next_page_token, query="a"), _NO_CONTEXT
        )


async def test_rows_carry_the_bar_the_values_and_what_is_still_running(service: IndicatorQueries) -> None:
    answer = await service.ComputeIndicator(_request(page_size=2, parameters={"timeperiod": "2"}), _NO_CONTEXT)
    assert list(answer.outputs) == ["upperband", "middleband", "lowerband"]
    before, last = answer.rows
    assert (before.partial, last.partial) == (False, True)
    assert last.open_time == to_timestamp(_BARS[-1].open_time)
    assert last.close_time == to_timestamp(_BARS[-1].close_time)
    assert float(last.values[1]) == pytest.approx(float(_BARS[-1].close + _BARS[-2].close) / 2)
    assert answer.next_page_token == ""
    assert answer.warm_up_bars >= 1


async def test_texts_are_identical_whatever_the_page_and_the_start(service: IndicatorQueries) -> None:
    for name in ("BBANDS", "ADX", "OBV", "CDLDOJI", "MAXINDEX"):
        start = to_timestamp(_BARS[900].open_time)
        expected = _texts(await _all_rows(service, _request(indicator=name, start_time=start)))
        assert len(expected) == 600
        later = to_timestamp(_BARS[1_103].open_time)
        for request in (
            _request(indicator=name, start_time=start, page_size=77),
            _request(indicator=name, start_time=later, page_size=150),
            _request(indicator=name, page_size=333),
        ):
            found = _texts(await _all_rows(service, request))
            assert found == {at: expected[at] for at in found}


async def test_fields_and_parameters_are_chosen_by_name(service: IndicatorQueries) -> None:
    request = _request(page_size=1, indicator="SMA", parameters={"timeperiod": "1"})
    request.inputs["price"] = indicator_pb2.BAR_FIELD_HIGH
    answer = await service.ComputeIndicator(request, _NO_CONTEXT)
    assert list(answer.rows[0].values) == [str(_BARS[-1].high)]


async def test_what_cannot_be_chosen_is_refused_by_its_field(service: IndicatorQueries) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await service.ComputeIndicator(_request(parameters={"nbdevup": "1", "timeperiod": "0"}), _NO_CONTEXT)
    assert refused.value.field == 'parameters["timeperiod"]'


async def test_early_rows_have_empty_values(service: IndicatorQueries) -> None:
    request = _request(start_time=to_timestamp(_BARS[0].open_time), page_size=20)
    answer = await service.ComputeIndicator(request, _NO_CONTEXT)
    assert [row.values[0] == "" for row in answer.rows] == [True] * 19 + [False]
    assert answer.warm_up_bars == 0
