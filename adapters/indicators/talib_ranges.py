"""What values TA-Lib's parameters take.

TA-Lib's Python package does not show the ranges. They are those of TA_FunctionDescriptionXML of the C library,
version 0.8.1; a test holds each bound, and what lies beyond, against TA-Lib itself.
"""

from decimal import Decimal
from typing import Final

from domain.market_data.indicator import ParameterKind


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LONGEST_PERIOD: Final = Decimal(100_000)
_ALWAYS_AT_LEAST_TWO: Final = frozenset({"fastperiod", "slowperiod", "firstperiod", "secondperiod", "stddevperiod"})
_AT_LEAST_TWO: Final = {
    "signalperiod": frozenset({"AC", "SMI"}),
    "timeperiod": _names(
        "ACCBANDS ADX ADXR AROON AROONOSC AVGDEV BBANDS CCI CMF CMO CMOU CVI DONCHIAN DPO DX ER FOSC IMI KC LINEARREG "
        "LINEARREG_ANGLE LINEARREG_INTERCEPT LINEARREG_SLOPE MAX MAXINDEX MFI MIDPOINT MIDPRICE MIN MININDEX MINMAX "
        "MINMAXINDEX PERCENTILE PERCENTRANK RSI SMI STDDEV STOCHRSI SUM SUPERTREND TSF VHF WILLR"
    ),
}
# What TA-Lib bounds at 3e37 has no bound here: no decimal of the contract is as large.
_ANY: Final = (None, None)
_NOT_NEGATIVE: Final = (Decimal(0), None)
_LIMIT: Final = (Decimal("0.01"), Decimal("0.99"))
_DECIMALS: Final[dict[str, tuple[Decimal | None, Decimal | None]]] = {
    "nbdev": _ANY,
    "nbdevdn": _ANY,
    "nbdevup": _ANY,
    "startvalue": _ANY,
    "fastlimit": _LIMIT,
    "slowlimit": _LIMIT,
    "percentile": (Decimal(0), Decimal(100)),
    "vfactor": (Decimal(0), Decimal(1)),
}


def range_of(function: str, parameter: str, kind: ParameterKind) -> tuple[Decimal | None, Decimal | None]:
    """The bounds, inclusive; None where there is none."""
    if kind is ParameterKind.CHOICE:
        return _ANY
    if kind is ParameterKind.DECIMAL:
        return _DECIMALS.get(parameter, _NOT_NEGATIVE)
    two = parameter in _ALWAYS_AT_LEAST_TWO or function in _AT_LEAST_TWO.get(parameter, ())
    return Decimal(2 if two else 1), _LONGEST_PERIOD
