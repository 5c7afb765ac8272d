"""A provider of bars that a test can read off, and whose bad days it writes."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import islice

from application.market_data.providers import Lack, Offer, Providers
from application.market_data.source import Source
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, Capabilities, DataKind, FetchedBars
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours

NEW_YORK = TradingHours("America/New_York", time(9, 30), time(16), frozenset(range(5)))
_DAY = timedelta(days=1)


def capabilities(
    history: timedelta | None = None,
    intervals: Collection[BarInterval] = (BarInterval.MINUTE_1, BarInterval.HOUR_1, BarInterval.DAY_1),
    local: bool = False,
    delay: timedelta | None = None,
) -> Capabilities:
    return Capabilities(
        asset_classes=(AssetClass.EQUITY,),
        requests=frozenset({DataKind.BARS}),
        streams=frozenset(),
        bars=dict.fromkeys(intervals, history),
        adjustments=tuple(PriceAdjustment),
        local=local,
        delay=delay,
    )


class ScriptedBars:
    """One bar of `price` for each interval of every session since `listed`, but those that open in `absent`.

    `asked` has every request. Each of `troubles` is raised instead of an answer, in turn. While `gate` is clear
    nothing is answered; it closes by itself after `answers`. `invalid` spans are told with each answer that they touch.
    """

    revision = "1"

    def __init__(
        self, clock: Clock, listed: datetime, hours: TradingHours = ALWAYS_OPEN, name: str = "scripted"
    ) -> None:
        self.name = name
        self.price = Decimal(10)
        self.asked: list[BarRequest] = []
        self.troubles: deque[Exception] = deque()
        self.absent: set[datetime] = set()
        self.invalid: list[tuple[datetime, datetime]] = []
        self.answers: int | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.symbols = {"ACME", "BOLT", "CORK"}
        self._clock = clock
        self._listed = listed
        self._hours = hours

    def described(self, symbol: str) -> Instrument:
        one = Decimal(1)
        return Instrument(symbol, symbol, AssetClass.EQUITY, "USD", "X", one / 100, one, one, NO_MAXIMUM, self._hours)

    async def instruments(self) -> Sequence[Instrument]:
        return [self.described(symbol) for symbol in sorted(self.symbols)]

    async def instrument(self, symbol: str) -> Instrument | None:
        return self.described(symbol) if symbol in self.symbols else None

    async def bars(self, request: BarRequest) -> FetchedBars:
        self.asked.append(request)
        await self.gate.wait()
        if self.answers is not None:
            self.answers -= 1
            if not self.answers:
                self.gate.clear()
        if self.troubles:
            raise self.troubles.popleft()
        spoiled = [span for span in self.invalid if span[0] < request.end and span[1] > request.start]
        found = list(islice(self.there(request), request.limit))
        return FetchedBars(found, spoiled)

    def there(self, request: BarRequest) -> Iterator[Bar]:
        """What a caller should get of the request, whatever its limit."""
        now = self._clock.now()
        for opens, closes in self._spans(request, now):
            spoiled = any(start <= opens < end for start, end in self.invalid)
            if opens >= max(request.start, self._listed) and opens not in self.absent and not spoiled:
                yield self._bar(request, opens, closes, now)

    def _spans(self, request: BarRequest, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Those that open up to the request's end and to now."""
        hours = self._hours.extended() if request.extended_hours else self._hours
        for session in hours.sessions(max(request.start, self._listed) - _DAY):
            opens = session.open
            while opens < session.close:
                if opens >= request.end or opens > now:
                    return
                closes = min(opens + (request.interval.fixed_length or _DAY), session.close)
                yield opens, closes
                opens = closes

    def _bar(self, request: BarRequest, opens: datetime, closes: datetime, now: datetime) -> Bar:
        price = self.price
        return Bar(
            request.symbol,
            request.interval,
            opens,
            closes,
            price,
            price,
            price,
            price,
            Decimal(100),
            None,
            partial=closes > now,
            adjustment=request.adjustment,
        )

    async def close(self) -> None:
        pass


def source_of(provider: ScriptedBars, can: Capabilities | None = None, symbol: str = "ACME") -> Source:
    return Source(provider, can or capabilities(), provider.described(symbol))  # type: ignore[arg-type]  # bars alone


def providers_of(*offered: tuple[ScriptedBars, Capabilities], routes: Sequence[tuple[str, str]] = ()) -> Providers:
    """The first is the default."""
    offers = [
        Offer(one.name, one.name, can, _nothing_lacks, lambda one=one: one)  # type: ignore[misc]  # bars alone
        for one, can in offered
    ]
    return Providers(offers, offered[0][0].name, routes)


def _nothing_lacks() -> Lack | None:
    return None
