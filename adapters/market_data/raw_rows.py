"""Values as sources send them, made into exact numbers and times. What is none is None, never a guess."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from numbers import Integral, Real

from domain.decimals import PLACES, settle

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_MOST_DIGITS = 20
_MICROSECOND = timedelta(microseconds=1)


def decimal_of(value: object) -> Decimal | None:
    """A number, a float by its shortest form, or a number's text; rounded to the 18 places that are kept.

    None for NaN, infinity, bool, what has more than 20 digits before the point, and everything else.
    """
    kind = type(value)
    text = value if kind is str else repr(value) if kind is float else None
    if isinstance(text, str) and len(text) <= PLACES and text.replace(".", "", 1).isdecimal():
        return Decimal(text)  # the usual case, which millions of rows are made of
    number = None if value is None else _number(value)
    if number is None or not number.is_finite():
        return None
    # Of a finite number the exponent is an int, which its type does not say.
    if number.as_tuple().exponent < -PLACES:  # type: ignore[operator]  # "n", "N" and "F" are NaN's and infinity's
        number = settle(number) if number.adjusted() < _MOST_DIGITS else number
    return number if number.adjusted() < _MOST_DIGITS or not number else None


def price_of(value: object) -> Decimal | None:
    """A number above zero."""
    number = decimal_of(value)
    return number if number is not None and number > 0 else None


def size_of(value: object) -> Decimal | None:
    """A number that is not below zero."""
    number = decimal_of(value)
    return number if number is not None and number >= 0 else None


def utc_of_seconds(value: object) -> datetime | None:
    """Seconds since 1970, with a fraction or without; None for no number and for years outside 1900 to 2099."""
    return _utc(value, 6)


def utc_of_ms(value: object) -> datetime | None:
    return _utc(value, 3)


def utc_of_us(value: object) -> datetime | None:
    return _utc(value, 0)


def utc_of_ns(value: object) -> datetime | None:
    """The whole microsecond that the nanosecond is in."""
    return _utc(value, -3)


def utc_of_text(value: object) -> datetime | None:
    """A time by RFC 3339, nanoseconds cut; None without a zone and for years outside 1900 to 2099."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value.strip().upper())
        at = at.astimezone(UTC) if at.tzinfo is not None else at
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo is not None and _EARLIEST <= at < _LATEST else None


def _number(value: object) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, float):  # also numpy's float64, whose own repr names its type
        return Decimal(float.__repr__(value))
    if isinstance(value, Integral):
        return Decimal(int(value))
    if not isinstance(value, str | Real) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def _utc(value: object, places: int) -> datetime | None:
    number = _number(value)
    if number is None or not number.is_finite() or number.adjusted() > _MOST_DIGITS:
        return None
    at = int(number.scaleb(places) // 1) if number >= 0 else -int(-number.scaleb(places) // 1)
    try:
        moment = _EPOCH + at * _MICROSECOND
    except OverflowError:
        return None
    return moment if _EARLIEST <= moment < _LATEST else None
