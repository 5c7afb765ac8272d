"""The demo as a command: it shows itself on standard output, and its exit status says how it went."""

import asyncio
import signal
import time
from typing import Final

import grpc
from rich.console import Console

from server.demo.failures import DemoFailed, refusal_in
from server.demo.session import run_session

SHORTEST_SECONDS: Final = 5.0
DEFAULT_SECONDS: Final = 28.0

OK = 0
FAILED = 1
INTERRUPTED = 130
TERMINATED = 143


def run_demo(seconds: float = DEFAULT_SECONDS) -> int:
    """Trade for about so many seconds and answer the exit status.

    0: everything went as it should and the books agree. 1: something did not, standard error says what.
    130 and 143: interrupted by Ctrl-C or SIGTERM; the open orders were canceled and the server stopped.
    """
    console, started = Console(), time.monotonic()
    try:
        asyncio.run(_session(console, max(SHORTEST_SECONDS, seconds)))
    except (DemoFailed, grpc.aio.AioRpcError) as failure:
        return _failed(failure)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except asyncio.CancelledError:
        status = TERMINATED
    else:
        status = OK
    console.print(f"\nThe server has stopped. {time.monotonic() - started:.0f} s in all.", highlight=False)
    return status


async def _session(console: Console, seconds: float) -> None:
    """SIGTERM and a closed terminal are taken as Ctrl-C is: they cancel the session, which then cleans up."""
    session = asyncio.current_task()
    if session is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, session.cancel)
    await run_session(console, seconds)


def _failed(failure: Exception) -> int:
    what = str(refusal_in(failure)) if isinstance(failure, grpc.aio.AioRpcError) else str(failure)
    console = Console(stderr=True)
    console.print(f"The demo has failed: {what}", style="bold red", highlight=False, markup=False, soft_wrap=True)
    for note in getattr(failure, "__notes__", ()):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    return FAILED
