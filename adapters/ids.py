"""ULIDs: 48 bits of milliseconds and 80 of randomness as 26 characters that sort by time."""

from collections.abc import Callable

from application.ports.clock import Clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Ten bits at a time: a ULID is then thirteen look-ups.
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_RANDOM_BYTES = 10


class UlidGenerator:
    """Ids of one process: strictly increasing, also within a millisecond, where each is the last plus one.

    `randbytes(n)` gives n random bytes, for example `os.urandom` or `random.Random(seed).randbytes`.
    Format: https://github.com/ulid/spec.
    """

    def __init__(self, clock: Clock, randbytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._randbytes = randbytes
        self._time = -1
        self._time_text = ""
        self._random = 0

    def new_id(self) -> str:
        now = self._clock.now()
        milliseconds = int(now.timestamp()) * 1000 + now.microsecond // 1000
        if milliseconds > self._time:
            self._begin(milliseconds)
        else:
            self._random += 1
        value = self._random
        return (
            self._time_text
            + _PAIRS[value >> 70]
            + _PAIRS[value >> 60 & 1023]
            + _PAIRS[value >> 50 & 1023]
            + _PAIRS[value >> 40 & 1023]
            + _PAIRS[value >> 30 & 1023]
            + _PAIRS[value >> 20 & 1023]
            + _PAIRS[value >> 10 & 1023]
            + _PAIRS[value & 1023]
        )

    def _begin(self, milliseconds: int) -> None:
        self._time = milliseconds
        self._time_text = "".join(_PAIRS[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0))
        # The top bit stays clear, which leaves room to count up within the millisecond.
        self._random = int.from_bytes(self._randbytes(_RANDOM_BYTES)) >> 1
