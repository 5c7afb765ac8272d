"""Bars as columns of doubles."""

from random import Random

from application.market_data.bar_columns import BarColumns
from domain.market_data.indicator import BarField
from tests.support.bar_list import hourly_bars

_BARS = hourly_bars(20, Random(4))
_FIELDS = (BarField.HIGH, BarField.VOLUME)


def test_columns_have_the_fields_of_the_bars_in_order() -> None:
    columns = BarColumns(_FIELDS)
    columns.append(_BARS[:12])
    columns.append(_BARS[12:])
    assert len(columns) == 20
    volume, high = columns.series((BarField.VOLUME, BarField.HIGH))
    assert list(volume.values) == [float(bar.volume) for bar in _BARS]
    assert list(high.values) == [float(bar.high) for bar in _BARS]
    assert volume.whole


def test_columns_that_were_made_in_parts_are_joined() -> None:
    parts = []
    for first in (0, 5, 15):
        parts.append(BarColumns(_FIELDS))
        parts[-1].append(_BARS[first : first + (5 if first != 5 else 10)])
    joined = BarColumns(_FIELDS)
    joined.join(parts)
    assert len(joined) == 20
    assert list(joined.series(_FIELDS)[0].values) == [float(bar.high) for bar in _BARS]
