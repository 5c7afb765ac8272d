"""Waiting for something that only asking can tell."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from server.demo.failures import DemoFailed

_LOOK_SECONDS = 0.05


async def wait_until(holds: Callable[[], Awaitable[bool]], seconds: float, otherwise: str) -> None:
    """Raises DemoFailed with `otherwise` when it does not hold within `seconds`."""
    deadline = time.monotonic() + seconds
    while not await holds():
        if time.monotonic() > deadline:
            raise DemoFailed(f"{otherwise} within {seconds:.0f} s")
        await asyncio.sleep(_LOOK_SECONDS)
