"""How a stream of market data runs: what waits for its reader, heartbeats in silence, a goodbye at shutdown."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message

from application.market_data.market_data_hub import MarketDataHub
from application.market_data.subscriber import Delivery, Subscriber
from application.market_data.topics import UpstreamNews
from server.interceptors.tracking import Lifecycle
from server.mapping.market_data import delivered, goodbye, heartbeat

T = TypeVar("T")
U = TypeVar("U")


class Pulse:
    """Is `due`, and wakes its stream, once nothing was sent for `seconds`.

    These are real seconds, whatever the market's clock does. One timer looks now and then at the time of the last
    message: setting it anew for each of a thousand streams would cost as much as the message itself.
    """

    __slots__ = ("_last", "_loop", "_seconds", "_timer", "_wake", "due")

    def __init__(self, seconds: float, wake: Callable[[], None]) -> None:
        self.due = False
        self._seconds = seconds
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._look)

    def sent(self) -> None:
        self._last = self._loop.time()
        self.due = False

    def change(self, seconds: float) -> None:
        self._seconds = seconds
        self.stop()
        self._look()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        missing = self._last + self._seconds - self._loop.time()
        if missing <= 0:
            self.due = True
            self._wake()
        self._timer = self._loop.call_later(missing if missing > 0 else self._seconds, self._look)


class MarketStream:
    """One reader's stream of `response` messages. `sent` counts the items, as heartbeats tell it.

    There may be a thousand for one quote, so what a message passes through is kept short.
    """

    __slots__ = ("_hub", "_lifecycle", "_response", "pulse", "sent", "subscriber")

    def __init__(
        self,
        hub: MarketDataHub,
        lifecycle: Lifecycle,
        response: Callable[..., Message],
        heartbeat_seconds: float,
        min_interval: float = 0.0,
    ) -> None:
        self.sent = 0
        self.subscriber = Subscriber(min_interval)
        self.pulse = Pulse(heartbeat_seconds, self.subscriber.wake)
        self._hub = hub
        self._lifecycle = lifecycle
        self._response = response

    def heartbeat(self) -> bytes:
        return heartbeat(self._response, self.sent)

    def message(self, delivery: Delivery) -> bytes:
        if type(delivery.update.item) is not UpstreamNews:
            self.sent += 1
        return delivered(self._response, delivery)

    async def messages(
        self,
        opening: AsyncIterator[bytes] | None = None,
        wants: Callable[[Delivery], bool] | None = None,
        answer: Callable[[], bytes | None] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """What `opening` yields, which may subscribe at the hub; then all until the goodbye: answers first, after
        them what waits and `wants` takes, oldest first. At the end the reader is gone from the hub.
        """
        subscriber, pulse = self.subscriber, self.pulse
        try:
            with self._lifecycle.at_stop(subscriber.end):
                pulse.start()
                if opening is not None:
                    async for message in opening:
                        yield message
                        pulse.sent()
                while not subscriber.ended:
                    reply = answer() if answer is not None else None
                    if reply is None:
                        delivery = subscriber.take()
                        if delivery is None:
                            if not pulse.due:
                                await subscriber.more()
                                continue
                            reply = self.heartbeat()
                        elif wants is None or wants(delivery):
                            reply = self.message(delivery)
                        else:
                            continue
                    yield reply
                    pulse.sent()
                yield goodbye(self._response, self.sent)
        finally:
            pulse.stop()
            self._hub.close(subscriber)


class Inbox(Generic[T, U]):
    """The requests of a bidirectional stream, one at a time: the next is read when the last has been taken.

    `prepare` does what takes its time, while the stream goes on.
    """

    def __init__(
        self, requests: AsyncIterator[T], prepare: Callable[[T], Awaitable[U]], wake: Callable[[], None]
    ) -> None:
        self._requests = requests
        self._prepare = prepare
        self._wake = wake
        self._next: asyncio.Task[U] | None = self._ask()

    def take(self) -> U | None:
        """The next request if it is here and prepared; never again one after the caller has half-closed."""
        if self._next is None or not self._next.done():
            return None
        try:
            request = self._next.result()
        except StopAsyncIteration:
            self._next = None
            return None
        self._next = self._ask()
        return request

    async def aclose(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        if isinstance(self._requests, AsyncGenerator):
            await self._requests.aclose()

    def _ask(self) -> asyncio.Task[U]:
        asked = asyncio.create_task(self._read())
        asked.add_done_callback(lambda _: self._wake())
        return asked

    async def _read(self) -> U:
        return await self._prepare(await anext(self._requests))
