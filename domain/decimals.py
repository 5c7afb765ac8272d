"""Exact decimal arithmetic for the whole process.

Numbers carry at most 20 digits before and 18 after the point, so a product needs 76: the default
precision of 28 would round money silently. Importing this module sets 80 for every thread and task.
"""

import decimal
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

PRECISION = 80
PLACES = 18
_QUANTUM = Decimal(1).scaleb(-PLACES)

decimal.DefaultContext.prec = PRECISION
decimal.getcontext().prec = PRECISION

ZERO = Decimal(0)
ONE = Decimal(1)


def settle(value: Decimal) -> Decimal:
    """`value` rounded half-even to the 18 places that storage and the wire carry."""
    return value.quantize(_QUANTUM, ROUND_HALF_EVEN)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` lies on the grid of `step` (a tick or a lot, above zero)."""
    return not value % step


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` (above zero) that is not above `value`, towards zero."""
    return (value / step).to_integral_value(ROUND_DOWN) * step


def plain(value: Decimal) -> str:
    """`value` as a decimal string without an exponent and without trailing zeros: the wire's form."""
    text = str(value)
    if "E" in text:  # rare, and str is twice as fast as format
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
