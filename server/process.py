"""One serving process: from its settings to its exit status."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

import uvloop

from server.bootstrap import Application
from server.settings import Settings, SettingsError

OK: Final = 0
UNUSABLE_SETTINGS: Final = 2
TAKEN_OVER: Final = 3


def serve(settings: Settings, announce: Callable[[str], None], complain: Callable[[str], None]) -> int:
    """Serve until SIGTERM, SIGINT, or until another server takes over; answers the exit status.

    `announce` is given the address once it serves, `complain` one line that says what is wrong.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # The store's threads take turns with the event loop: at Python's 5 ms each would wait too long for the other.
    sys.setswitchinterval(settings.switch_interval)
    try:
        fenced = uvloop.run(_serve(settings, announce))
    except SettingsError as error:
        complain(str(error))
        return UNUSABLE_SETTINGS
    if fenced:
        complain("another server has taken over the database: this one has stopped")
    return _leave(TAKEN_OVER if fenced else OK)


def _leave(status: int) -> int:
    """At its end the interpreter waits for threads, and those of a mute vendor last until their own time-outs."""
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


async def _serve(settings: Settings, announce: Callable[[str], None]) -> bool:
    """Whether it ended because another server owns the database now."""
    ended, fenced = asyncio.Event(), asyncio.Event()

    def on_fenced() -> None:
        fenced.set()
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    application = Application(settings, on_fenced)
    await application.start()
    # Collecting cost 6 % of the time on the way of an order: what start-up made stays, and orders are no cycles.
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    announce(application.address)
    await ended.wait()
    await application.stop()
    return fenced.is_set()
