import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.raw_rows import (
    decimal_of,
    price_of,
    size_of,
    utc_of_ms,
    utc_of_ns,
    utc_of_seconds,
    utc_of_text,
    utc_of_us,
)

NO_NUMBERS = [
    math.nan,
    math.inf,
    -math.inf,
    "NaN",
    "Infinity",
    "",
    "1_000",
    "12,5",
    "0x10",
    True,
    False,
    None,
    [],
    {},
    b"1",
    1j,
    Decimal("NaN"),
    Decimal("sNaN"),
    10**21,
    1e21,
    "1e400",
    np.float64("nan"),
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_none(value: object) -> None:
    assert (decimal_of(value), price_of(value), size_of(value)) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.1, "0.1"),
        (187.25, "187.25"),
        (1e-7, "0.0000001"),
        (3, "3"),
        (-0.0, "0"),
        (" 12.50 ", "12.5"),
        ("1e3", "1000"),
        ("-4", "-4"),
        (Decimal("1.10"), "1.1"),
        (np.float64(0.1), "0.1"),
        (np.float32(0.1), "0.1"),
        (np.int64(7), "7"),
        (1.2345678901234567e-7, "0.000000123456789012"),
        ("0.1234567890123456785", "0.123456789012345678"),
    ],
)
def test_numbers_are_taken_by_their_shortest_form_to_the_places_that_are_kept(value: object, number: str) -> None:
    assert decimal_of(value) == Decimal(number)


def test_a_price_is_above_zero_and_a_size_not_below() -> None:
    assert (price_of("0"), price_of(-1), price_of(0.01)) == (None, None, Decimal("0.01"))
    assert (size_of(0), size_of(-1), size_of("3")) == (Decimal(0), None, Decimal(3))


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_float_comes_back_as_it_was(value: float) -> None:
    number = decimal_of(value)
    assert number is not None
    assert math.isclose(float(number), value, abs_tol=1e-18)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.decimals(), st.datetimes(), st.none()))
def test_nothing_that_a_source_can_send_raises(value: object) -> None:
    for read in (decimal_of, price_of, size_of, utc_of_seconds, utc_of_ms, utc_of_us, utc_of_ns, utc_of_text):
        read(value)


MOMENT = datetime(2026, 11, 20, 14, 30, 0, 123456, tzinfo=UTC)


def test_times_are_read_in_every_unit() -> None:
    assert utc_of_seconds(1795185000) == MOMENT.replace(microsecond=0)
    assert utc_of_seconds("1795185000.123456") == utc_of_seconds(1795185000.123456) == MOMENT
    assert utc_of_ms(1795185000123) == MOMENT.replace(microsecond=123000)
    assert utc_of_us(1795185000123456) == MOMENT
    assert utc_of_ns(1795185000123456999) == MOMENT


@given(st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001 - hypothesis wants them so
def test_a_count_of_microseconds_is_exact(moment: datetime) -> None:
    at = moment.replace(tzinfo=UTC)
    count = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert utc_of_us(count) == utc_of_ns(count * 1000) == at


@pytest.mark.parametrize("value", [math.nan, None, True, "soon", [], 10**30, -(10**12), 4102444800], ids=repr)
def test_what_is_no_time_of_our_centuries_is_none(value: object) -> None:
    assert utc_of_seconds(value) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T14:30:00.123456Z",
        "2026-11-20T14:30:00.123456789Z",
        "2026-11-20t14:30:00.123456z",
        "2026-11-20T09:30:00.123456-05:00",
        " 2026-11-20 14:30:00.123456+00:00 ",
    ],
)
def test_texts_are_read_with_their_zone_and_nanoseconds_are_cut(text: str) -> None:
    assert utc_of_text(text) == MOMENT


@pytest.mark.parametrize(
    "text", ["2026-11-20T14:30:00", "2026-11-20", "2026-13-01T00:00:00Z", "", "Z", "0001-01-01T00:00:00+14:00", 5, None]
)
def test_a_text_without_a_zone_or_sense_is_none(text: object) -> None:
    assert utc_of_text(text) is None
