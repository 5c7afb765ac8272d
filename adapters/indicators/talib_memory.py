"""How long the values of TA-Lib's functions remember.

TA-Lib marks only those functions that it can give an unstable period, not what is built of them, and not what adds
up for ever. The tables were found by computing each function over series that begin at different bars; the same is
done in a test for every function.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FOR_EVER: Final = _names("AD CUMSUM NVI OBV PVI PVT VWAP WAD")
_FADING: Final = _names(
    "ADOSC ADX ADXR ATR CMO CVI DEMA DX EFI EMA ERI HA HT_DCPERIOD HT_DCPHASE HT_PHASOR HT_SINE HT_TRENDLINE "
    "HT_TRENDMODE KAMA KC MACD MACDFIX MAMA MASSI MINUS_DI MINUS_DM NATR PLUS_DI PLUS_DM RMA RSI RVI SAR SAREXT SMI "
    "STOCHRSI SUPERTREND T3 TEMA TRIX TSI ZLEMA "
    # Of several equal prices these tell one or another, by where they began.
    "MAXINDEX MININDEX MINMAXINDEX"
)
_KAMA: Final = 6
# EMA, DEMA, TEMA, KAMA, MAMA, T3, the function's own default (which may be one of them), ZLEMA, RMA.
_FADING_AVERAGES: Final = frozenset({1, 3, 4, _KAMA, 7, 8, 11, 12, 13})
_FIXED_PERIODS: Final = {"MACDFIX": 38}

# Wilder's averages, the slowest, forget a factor of e in as many bars as their period: 10^9 in 21 periods.
_PERIODS: Final = 25
_LEAST: Final = 1_000
"""What adapts to the market (MAMA, the Hilbert transforms, SAR) was within 10^-9 after at most 500 bars."""
_KAMA_LEAST: Final = 5_000
"""Where prices go nowhere KAMA is an average of 480 bars, whatever its period."""


def unstable_period(function: str, parameters: Mapping[str, Decimal]) -> int | None:
    """As IndicatorHistory has it."""
    if function in _FOR_EVER:
        return None
    averages = {int(value) for name, value in parameters.items() if "matype" in name}
    if function not in _FADING and not averages & _FADING_AVERAGES:
        return 0
    least = _KAMA_LEAST if function == "KAMA" or _KAMA in averages else _LEAST
    return max(least, _PERIODS * _periods(function, parameters))


def _periods(function: str, parameters: Mapping[str, Decimal]) -> int:
    """The periods that smooth, together; a limit of an average's weight stands for the period of that weight."""
    together = _FIXED_PERIODS.get(function, 0)
    for name, value in parameters.items():
        if "period" in name:
            together += int(value)
        elif name in ("fastlimit", "slowlimit"):
            together += int(2 / value)
    return together
