"""An indicator over a vendor's bars, computed by the server, is what TA-Lib makes of the same numbers."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import talib

from adapters.market_data.conventions import US_EQUITY_HOURS
from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE
from quantmesh.marketdata.v1.indicator_query_pb2 import ComputeIndicatorRequest
from tests.end_to_end.books import read_all
from tests.end_to_end.vendor_desk import DAY, MINUTE, polygon_settings, polygon_vendor, serving, timestamp, utc
from tests.support.server import Site
from tests.support.vendors.polygon import FakePolygon, Row
from tests.support.vendors.polygon_market import NOW, OPEN, milliseconds

_SESSIONS: Final = 5
_INDICATORS: Final[dict[str, tuple[tuple[str, ...], dict[str, int]]]] = {
    "SMA": (("c",), {"timeperiod": 20}),
    "RSI": (("c",), {"timeperiod": 14}),
    "ATR": (("h", "l", "c"), {"timeperiod": 10}),
    "MACD": (("c",), {"fastperiod": 5, "slowperiod": 20, "signalperiod": 7}),
    "MFI": (("h", "l", "c", "v"), {"timeperiod": 14}),
}


def _walk() -> list[Row]:
    """Minutes of some sessions up to now, each a little off the one before."""
    chance, close = np.random.default_rng(7), 200.0
    found: list[Row] = []
    for session in US_EQUITY_HOURS.sessions(OPEN - 2 * _SESSIONS * DAY):
        for number in range((session.close - session.open) // MINUTE):
            at = session.open + number * MINUTE
            if at + MINUTE > NOW:
                return found
            opened, close = close, round(close * (1 + chance.normal(0, 0.001)), 2)
            high, low = round(max(opened, close) + 0.03, 2), round(min(opened, close) - 0.02, 2)
            volume = int(chance.integers(1, 10_000))
            found.append({"t": milliseconds(at), "o": opened, "h": high, "l": low, "c": close, "v": volume, "n": 1})
    return found


async def test_an_indicator_over_a_vendors_bars_is_talibs_of_the_same_numbers(tmp_path: Path) -> None:
    async with polygon_vendor() as polygon:
        table = polygon.aggregates["AAPL", 1, "minute"] = _walk()
        series = {name: np.array([float(one[name]) for one in table]) for name in "ohlcv"}
        settings = {**polygon_settings(polygon), "market_routes": "AAPL=polygon"}
        async with serving(Site(tmp_path), **settings) as desk:
            for name, (inputs, parameters) in _INDICATORS.items():
                given: Any = getattr(talib, name)(*(series[one] for one in inputs), **parameters)
                expected = np.array(given if isinstance(given, tuple) else (given,)).T
                for start in (OPEN, OPEN + 37 * MINUTE):
                    request = ComputeIndicatorRequest(
                        symbol="AAPL",
                        interval=BAR_INTERVAL_ONE_MINUTE,
                        indicator=name,
                        parameters={key: f"{value}" for key, value in parameters.items()},
                        start_time=timestamp(start),
                        end_time=timestamp(OPEN + 100 * MINUTE),
                    )
                    rows = await read_all(desk.client.market.ComputeIndicator, request, "rows", page_size=40)
                    assert [utc(one.open_time) for one in rows] == _minutes(start)
                    place = _place(polygon, start)
                    values = np.array([[float(value) for value in one.values] for one in rows])
                    assert values == pytest.approx(expected[place : place + len(rows)], rel=1e-9, abs=1e-9), name


def _minutes(start: Any) -> list[Any]:
    return [start + timedelta(minutes=n) for n in range((OPEN + 100 * MINUTE - start) // MINUTE)]


def _place(polygon: FakePolygon, start: Any) -> int:
    times = [one["t"] for one in polygon.aggregates["AAPL", 1, "minute"]]
    return times.index(milliseconds(start))
