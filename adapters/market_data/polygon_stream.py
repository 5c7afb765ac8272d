"""Polygon's streams: one WebSocket for each cluster, shared by all iterators over its instruments."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any

from adapters.market_data.polygon_bars import live_bar
from adapters.market_data.polygon_quotes import currency_quote, stock_quote, trade
from adapters.market_data.polygon_settings import PolygonSettings
from adapters.market_data.polygon_socket import PolygonSocket
from adapters.market_data.polygon_symbols import Cluster, polygon_name, stream_symbol
from adapters.market_data.upstream_channels import Upstream
from application.ports.clock import Clock, Timer
from domain.errors import DomainError
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.quote import TopOfBook, Trade

LINGER_SECONDS = 5.0

_FURTHEST_AHEAD = timedelta(hours=1)

_log = logging.getLogger(__name__)


class Channel(Enum):
    QUOTES = "QUOTES"
    TRADES = "TRADES"
    SECOND_BARS = "SECOND_BARS"
    MINUTE_BARS = "MINUTE_BARS"


Item = TopOfBook | Trade | Bar
Read = Callable[[str, Mapping[str, Any], datetime], Item | None]

EVENTS: Mapping[Cluster, Mapping[Channel, str]] = {
    Cluster.STOCKS: {
        Channel.QUOTES: "Q",
        Channel.TRADES: "T",
        Channel.SECOND_BARS: "A",
        Channel.MINUTE_BARS: "AM",
    },
    Cluster.FOREX: {Channel.QUOTES: "C", Channel.SECOND_BARS: "CAS", Channel.MINUTE_BARS: "CA"},
    Cluster.CRYPTO: {
        Channel.QUOTES: "XQ",
        Channel.TRADES: "XT",
        Channel.SECOND_BARS: "XAS",
        Channel.MINUTE_BARS: "XA",
    },
    Cluster.INDICES: {Channel.SECOND_BARS: "A", Channel.MINUTE_BARS: "AM"},
}
"""What each cluster has, by the names of its events."""

_CODE_FIELDS = {"Q": "sym", "T": "sym", "A": "sym", "AM": "sym", "C": "p"}


class PolygonStream:
    """One cluster's socket: open while some of its `upstreams` is wanted, and a little longer."""

    def __init__(self, cluster: Cluster, settings: PolygonSettings, clock: Clock) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clock = clock
        self._channels = {event: channel for channel, event in EVENTS[cluster].items()}
        self._read = {channel: _reader(cluster, channel) for channel in EVENTS[cluster]}
        self._newest: dict[tuple[Channel, str], datetime] = {}
        self.upstreams: Mapping[Channel, Upstream[Any]] = {
            channel: Upstream(conflate=channel is Channel.QUOTES) for channel in EVENTS[cluster]
        }
        for upstream in self.upstreams.values():
            upstream.on_change = self._reconcile
        self._socket: PolygonSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: Timer | None = None

    async def close(self) -> None:
        """Iterators end."""
        for upstream in self.upstreams.values():
            upstream.close()
        self._keep_open()
        self._socket = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what is wanted ------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """Make the socket carry what is wanted now."""
        wanted = self._wanted()
        if self._socket is None:
            if wanted:
                self._connect(wanted)
            return
        self._socket.want(wanted)
        if wanted:
            self._keep_open()
        elif self._closing is None:
            self._closing = self._clock.call_later(LINGER_SECONDS, self._let_go)

    def _wanted(self) -> frozenset[str]:
        names = EVENTS[self._cluster]
        return frozenset(
            f"{names[channel]}.{name.code}"
            for channel, upstream in self.upstreams.items()
            for symbol in upstream.wanted
            if (name := polygon_name(symbol)) is not None
        )

    def _connect(self, wanted: frozenset[str]) -> None:
        self._newest.clear()
        self._socket = PolygonSocket(self._cluster, self._settings, wanted, self._take, self._confirm, self._reject)
        run = self._run(self._socket, frozenset(self._tasks))
        self._task = asyncio.create_task(run, name=f"polygon {self._cluster.value}")
        self._tasks.add(self._task)
        self._task.add_done_callback(self._tasks.discard)

    async def _run(self, socket: PolygonSocket, before: frozenset[asyncio.Task[None]]) -> None:
        if before:
            # A plan has one connection a market: a second one would be refused, or end the first.
            await asyncio.wait(before)
        error = await socket.run()
        if self._socket is socket:
            _log.info("the stream of %s ended: %s", self._cluster.value, error)
            for upstream in self.upstreams.values():
                upstream.fail(error)
            self._socket = None
            self._keep_open()

    def _let_go(self) -> None:
        self._closing = self._socket = None
        if self._task is not None:
            self._task.cancel()

    def _keep_open(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    # -- what comes ----------------------------------------------------------------------------------

    def _take(self, event: Mapping[str, Any]) -> None:
        kind = event.get("ev")
        channel = self._channels.get(kind) if isinstance(kind, str) else None
        if kind is None or channel is None:
            return
        code = event.get(_CODE_FIELDS.get(kind, "pair"))
        symbol = stream_symbol(self._cluster, code) if isinstance(code, str) else None
        if symbol is None or symbol not in self.upstreams[channel].wanted:
            return
        item = self._read[channel](symbol, event, self._clock.now())
        if item is not None and self._is_news(channel, symbol, item):
            self.upstreams[channel].publish(symbol, item)

    def _is_news(self, channel: Channel, symbol: str, item: Item) -> bool:
        """An older quote must not replace a newer one, and a bar comes once and in its turn."""
        if isinstance(item, Trade):
            return True
        newest = self._newest.get((channel, symbol))
        if isinstance(item, Bar):
            at = item.open_time
            news = (newest is None or at > newest) and at < self._clock.now() + _FURTHEST_AHEAD
        else:
            at = item.quote_time
            news = newest is None or at >= newest
        if news:
            self._newest[channel, symbol] = at
        return news

    def _confirm(self, subscriptions: frozenset[str]) -> None:
        for subscription in subscriptions:
            event, _, code = subscription.partition(".")
            channel, symbol = self._channels.get(event), stream_symbol(self._cluster, code)
            if channel is not None and symbol is not None:
                self.upstreams[channel].confirm((symbol,))

    def _reject(self, subscriptions: frozenset[str], error: DomainError) -> None:
        """It is not said which of several subscriptions was refused, so their channels fail."""
        for event in {subscription.partition(".")[0] for subscription in subscriptions}:
            self.upstreams[self._channels[event]].fail(error)


def _reader(cluster: Cluster, channel: Channel) -> Read:
    """What makes an item of an event."""
    if channel is Channel.QUOTES:
        return currency_quote if cluster is Cluster.FOREX else stock_quote
    if channel is Channel.TRADES:
        return trade
    return partial(live_bar, cluster, BAR_INTERVALS[channel])


BAR_INTERVALS = {Channel.SECOND_BARS: BarInterval.SECOND_1, Channel.MINUTE_BARS: BarInterval.MINUTE_1}
