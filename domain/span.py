"""Times that limits name, as spans that moments are compared with."""

from datetime import timedelta
from decimal import Decimal


def span(seconds: Decimal) -> timedelta:
    """`seconds` down to the whole microsecond, without the detour of a float."""
    return timedelta(microseconds=int(seconds * 1_000_000))
