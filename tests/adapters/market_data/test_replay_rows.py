from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.replay_rows import BARS, BadCell, number_in, quotes, time_of, trades
from domain.market_data.bar_shaping import RawBar
from domain.market_data.quote import Quote, TopOfBook, Trade

AT = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
SECONDS = 1795185000


@pytest.mark.parametrize(
    "value",
    [
        SECONDS,
        float(SECONDS),
        str(SECONDS),
        f"{SECONDS}.0",
        SECONDS * 10**3,
        str(SECONDS * 10**3),
        SECONDS * 10**6,
        str(SECONDS * 10**9),
        "2026-11-20T14:30:00Z",
        "2026-11-20 14:30:00",
        "2026-11-20 09:30:00-05:00",
        " 20261120T143000 ",
        datetime(2026, 11, 20, 14, 30),  # noqa: DTZ001 - as files without zones give it
        AT,
    ],
    ids=repr,
)
def test_a_time_is_read_however_it_is_written(value: object) -> None:
    assert time_of(value) == AT


def test_a_date_is_its_midnight_in_utc() -> None:
    for value in ("2026-11-20", "20261120", date(2026, 11, 20)):
        assert time_of(value) == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["", "soon", "2026-13-01", None, True, "NaN", "3026-01-01", 10**22, "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert time_of(value) is None


@given(st.one_of(st.text(), st.floats(), st.integers(), st.dates(), st.datetimes(), st.binary(), st.decimals()))
def test_nothing_in_a_cell_raises_anything_but_the_rule_that_it_breaks(value: object) -> None:
    at = time_of(value)
    assert at is None or at.tzinfo is UTC
    with suppress(BadCell):
        number_in(value, "price")


HEADERS = [
    ["time", "open", "high", "low", "close", "volume"],
    ["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"],
    ["Open time", "Open", "High", "Low", "Close", "Volume", "Close time", "Quote asset volume", "Number of trades"],
    ["ticker", "volume", "open", "close", "high", "low", "window_start", "transactions"],
    ["T", "O", "H", "L", "C", "V", "VW", "N"],
]


@pytest.mark.parametrize("header", HEADERS, ids=" ".join)
def test_columns_of_bars_are_found_by_their_usual_names(header: list[str]) -> None:
    names = ("time", *BARS.columns)
    found = {
        name: header[position]
        for name, position in zip(names, BARS.positions(header), strict=True)
        if position is not None
    }
    assert found["open"][0].lower() == "o"
    assert found["close"].lower() in ("close", "c")
    assert found["volume"].lower() in ("volume", "v")
    assert found["time"] in ("time", "Date", "Open time", "window_start", "T")


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        (["open", "high", "low", "close"], "there is no column time"),
        (["time", "open", "high", "low"], "there is no column close; there are time, open, high, low"),
        (["time", "Open", "open", "high", "low", "close"], "there are two columns open"),
    ],
)
def test_a_header_that_does_not_say_enough_is_refused(header: list[str], rule: str) -> None:
    with pytest.raises(BadCell, match=rule):
        BARS.positions(header)


def test_a_row_of_bars_becomes_one_and_without_a_price_only_its_time() -> None:
    assert BARS.item(AT, ["1", "3", "0.5", "2", "7", "1.5", "4"]) == RawBar(
        AT, Decimal(1), Decimal(3), Decimal("0.5"), Decimal(2), Decimal(7), Decimal("1.5"), 4
    )
    assert BARS.item(AT, [1.0, 3.0, 0.5, 2.0, None, None, None]) == RawBar(
        AT, Decimal(1), Decimal(3), Decimal("0.5"), Decimal(2), Decimal(0), None, None
    )
    for nothing in ("", "NaN", float("nan"), None):
        assert BARS.item(AT, ["1", "3", "0.5", nothing, "7", None, None]) == AT


def test_a_quote_may_lack_a_side_or_its_sizes() -> None:
    read = quotes("A").item
    assert read(AT, ["9", "1", "10", "2"]) == Quote("A", Decimal(9), Decimal(1), Decimal(10), Decimal(2), AT)
    assert read(AT, ["9", "1", "", ""]) == TopOfBook("A", Decimal(9), Decimal(1), None, None, AT)
    assert read(AT, ["0", "0", "10", "2"]) == TopOfBook("A", None, None, Decimal(10), Decimal(2), AT)
    assert read(AT, ["9", None, "10", None]) == TopOfBook("A", Decimal(9), None, Decimal(10), None, AT)


@pytest.mark.parametrize(
    "cells", [["10", "1", "9", "1"], ["", "", "", ""], ["nan", "1", "0", "1"], ["-1", "1", "-2", "1"]]
)
def test_a_quote_that_is_crossed_or_has_no_side_is_nothing(cells: list[object]) -> None:
    assert quotes("A").item(AT, cells) is None


def test_a_trade_has_its_id_and_conditions_where_there_are_any() -> None:
    read = trades("A").item
    assert read(AT, ["9", "1", "x1", "@, F"]) == Trade("A", "x1", Decimal(9), Decimal(1), AT, ("@", "F"))
    assert read(AT, [9.5, 2, 7, ["@", "F"]]) == Trade("A", "7", Decimal("9.5"), Decimal(2), AT, ("@", "F"))
    assert read(AT, ["9", "1", None, None]) == Trade("A", "", Decimal(9), Decimal(1), AT)
    assert read(AT, ["9", "0", None, None]) is None


def test_a_cell_that_is_no_number_is_told_with_its_column() -> None:
    with pytest.raises(BadCell, match="ask_price: must be a number, not '9,5'"):
        quotes("A").item(AT, ["9", "1", "9,5", "1"])
