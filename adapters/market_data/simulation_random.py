"""Random numbers that depend on nothing but their name, so that the simulated market needs no memory.

Whatever is computed from them uses only + - * / and square roots, which IEEE 754 rounds exactly. So any
two machines agree to the last bit, and so do a request for one minute and one for a year.
"""

import math
from enum import IntEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draws = NDArray[np.uint64]

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_NORMAL_MEAN = 4 * 65535 / 2
_NORMAL_DEVIATION = math.sqrt(4 * (65536**2 - 1) / 12)


class Level(IntEnum):
    """What a number is drawn for. Renumbering them makes another market of the same seed."""

    ANCHOR = 1
    WALK = 2
    ACTIVITY = 3
    SESSION = 4
    HOURS = 5
    MINUTES = 6
    PRINTS = 7
    QUOTES = 8
    BIDS = 9
    ASKS = 10


def key(seed: int, name: str) -> int:
    """The 64-bit key of everything that is called `name` under `seed`."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest())


def mixed(value: int) -> int:
    """The splitmix64 finaliser (Steele, Lea and Flood 2014): 64 bits that look unrelated to `value`."""
    value &= _MASK
    value = (value ^ value >> 30) * _MIX_1 & _MASK
    value = (value ^ value >> 27) * _MIX_2 & _MASK
    return value ^ value >> 31


def stream(key: int, level: Level, number: int) -> int:
    """Where the draws of node `number` on `level` begin."""
    return mixed(mixed(key + level * _GOLDEN) + number * _GOLDEN)


def fractions(stream: int) -> tuple[float, float, float, float]:
    """Four numbers from 0 inclusive to 1 exclusive, for where a whole generator is too much."""
    return (
        (stream >> 48) / 65536,
        (stream >> 32 & 65535) / 65536,
        (stream >> 16 & 65535) / 65536,
        (stream & 65535) / 65536,
    )


def draws(stream: int, rows: int, columns: int) -> Draws:
    """The first rows x columns numbers of a splitmix64 generator that stands at `stream`."""
    state = _STEPS[: rows * columns] if rows * columns <= _STEPS.size else _steps(rows * columns)
    value = state + np.uint64(stream)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(_MIX_1)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(_MIX_2)
    return (value ^ (value >> np.uint64(31))).reshape(rows, columns)


def uniform(drawn: Draws) -> Floats:
    """From 0 inclusive to 1 exclusive."""
    return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(drawn: Draws) -> Floats:
    """Mean 0, deviation 1, never beyond 3.5: the sum of four uniform numbers (Irwin-Hall)."""
    quarters = drawn.view(np.uint16).reshape(*drawn.shape, 4)
    sums: Floats = quarters.sum(axis=-1).astype(np.float64)
    return (sums - _NORMAL_MEAN) / _NORMAL_DEVIATION


def _steps(count: int) -> Draws:
    return np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)


_STEPS = _steps(2048)
