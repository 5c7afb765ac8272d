"""Exact prices from Yahoo's numbers.

Yahoo keeps prices in single precision and writes them in double: 187.1 arrives as 187.10000610351562. Each such
number stands for all that single precision cannot tell from it; of those the one with the fewest decimals is the
price that was traded, as long as it has no more than seven digits. The same holds of a price that was divided by the
ratio of a split: what is looked for then is the number with the fewest decimals that division could have made it of.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import frexp, isfinite
from struct import pack, unpack

from adapters.market_data.raw_rows import price_of
from domain.decimals import PLACES, ZERO

DIGITS = Context(prec=7, rounding=ROUND_HALF_EVEN)
"""As many as a number of single precision has for sure."""

# A price that was divided may have been rounded twice: when it was divided and when it was kept.
_TWICE_ROUNDED = Decimal("1.5")
_ONE = Fraction(1)
_SHORT = (".6g", ".7g", ".8g", ".9g")
_BITS = 24
_LARGEST_TERM = 100_000


def price(value: object, ratio: Fraction = _ONE) -> Decimal | None:
    """The price that became `value` when it was divided by `ratio`; None for what is no number above zero."""
    if not isinstance(value, float) or not isfinite(value) or value <= 0:
        return None
    if not _is_single(value):
        return price_of(value if ratio == _ONE else times(Decimal(repr(value)), ratio).normalize(DIGITS))
    if ratio == _ONE:
        # Six digits and more, without the zeros at their end: the first that single precision takes for the number.
        return price_of(next((text for text in map(value.__format__, _SHORT) if single(float(text)) == value), value))
    step = Decimal(2) ** (frexp(value)[1] - _BITS) * _TWICE_ROUNDED
    exact = Decimal(value)
    return price_of(_fewest_decimals(times(exact - step, ratio), times(exact, ratio), times(exact + step, ratio)))


def single(value: float) -> float:
    """`value` in single precision. Raises OverflowError for what is too large for it."""
    return float(unpack("f", pack("f", value))[0])


def scaled(value: object, factor: Decimal) -> Decimal | None:
    """`value` times `factor`, a number that Yahoo's were divided for and that is as rough as they are."""
    if factor == 1:
        return price(value)
    number = price(value)
    return None if number is None else price_of((number * factor).normalize(DIGITS))


def volume(value: object, ratio: Fraction = _ONE) -> Decimal | None:
    """The whole shares that became `value` when they were multiplied by `ratio`; None for what is no quantity."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        return None
    whole = Decimal(int(value))
    return whole if ratio == _ONE else times(whole, 1 / ratio).quantize(Decimal(1))


def split_ratio(value: float) -> Fraction | None:
    """New shares for old ones as the two whole numbers that make `value`; None where none do."""
    if not isfinite(value) or value <= 0:
        return None
    ratio = Fraction(value).limit_denominator(_LARGEST_TERM)
    return ratio if float(ratio) == value else None


def times(value: Decimal, ratio: Fraction) -> Decimal:
    return value * ratio.numerator / ratio.denominator


def _is_single(value: float) -> bool:
    try:
        return single(value) == value
    except OverflowError:
        return False


def _fewest_decimals(low: Decimal, value: Decimal, high: Decimal) -> Decimal:
    for places in range(PLACES + 1):
        rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
        if low <= rounded <= high and rounded > ZERO:
            return rounded
    return value
