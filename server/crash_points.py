"""A switch for tests alone: the process kills itself at a named point, as a power cut would."""

import os
import signal
from collections.abc import Callable


def crash_points(at: str) -> Callable[[str], None]:
    """What to call at every named point; `at` is "POINT" or "POINT:N" for the N-th time, empty for never.

    ValueError when it is neither.
    """
    point, _, count = at.partition(":")
    if not point:
        return lambda reached: None
    left = int(count or 1)

    def reached(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached
