"""Recordings in a folder, played as if they were happening: by the server's clock, which can be set into the past.

    instruments.csv             optional: what differs from the usual (see replay_instruments)
    bars/AAPL.1m.csv            bars of one interval: 1s 1m 5m 15m 30m 1h 2h 4h 1d 1w 1mo
    quotes/EUR_USD.parquet      best bid and offer
    trades/BTC_USDT.csv         prints

In a file's name "_" stands for "/", and %XX (as in URLs) for a character that cannot be in one; letter case does not
matter. Each file is CSV (UTF-8, a header, commas, semicolons, tabs or bars between cells) or Parquet. Columns are
found by their usual names (`replay_rows` has the table), whatever their order and case. Rows are in the order of
time. A time is a number of seconds, milliseconds, microseconds or nanoseconds since 1970 or a text by ISO 8601, in
UTC where it names no zone. Bars are stamped by their open, of a day and longer by their date or their session's open.

Nothing is known before its time: quotes and trades come at theirs, and a row of bars when its span is over. A file
that breaks a rule makes what needs it Unavailable, naming file, line and rule. Files may come, grow and be replaced
while the server runs; a last line without a line break counts once the file was left alone for two seconds.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from adapters.market_data.provider_errors import not_capable, unavailable
from adapters.market_data.replay_bars import recorded_bars
from adapters.market_data.replay_folder import QUOTES, TRADES, Contents, RecordedFile, ReplayFolder
from adapters.market_data.replay_player import BarTape, Player, RowTape, Tape
from adapters.market_data.replay_rows import BadFile, quotes, trades
from adapters.market_data.replay_settings import NAME, ReplaySettings
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars, Subscribed
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, TopOfBook, Trade

R = TypeVar("R")
T = TypeVar("T")

_THREADS = 2


class ReplayMarketData:
    """The replay provider. `revision` tells what the bars and instruments in the folder are, as last looked at."""

    name = NAME

    def __init__(self, clock: Clock, settings: ReplaySettings) -> None:
        self._clock = clock
        self._rescan_seconds = settings.rescan_seconds
        self._folder = ReplayFolder(Path(settings.folder), settings.rescan_seconds)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=NAME)
        self._closed = asyncio.Event()
        self.revision = ""

    async def instruments(self) -> Sequence[Instrument]:
        contents = await self._contents()
        found = map(contents.instrument, sorted(contents.symbols()))
        return [instrument for instrument in found if instrument is not None]

    async def instrument(self, symbol: str) -> Instrument | None:
        return (await self._contents()).instrument(symbol)

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        now = self._clock.now()

        def read() -> list[TopOfBook]:
            contents = self._folder.contents()
            files = {symbol: _file_of(QUOTES, symbol, contents) for symbol in sorted(set(symbols))}
            found = (file.open(quotes(symbol)).last_until(now) for symbol, file in files.items() if file is not None)
            return [quote for quote in found if quote is not None]

        return await self._read(read)

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        raise not_capable(NAME, "has no order books")

    async def bars(self, request: BarRequest) -> FetchedBars:
        now = self._clock.now()

        def read() -> FetchedBars:
            contents = self._folder.contents()
            instrument = contents.instrument(request.symbol)
            if instrument is None:
                return FetchedBars(())
            return recorded_bars(contents, instrument, request, now)

        return await self._read(read)

    def quotes(self, symbols: Collection[str]) -> AsyncGenerator[TopOfBook | Subscribed, None]:
        """Each one, in the order of time."""
        now = self._clock.now()
        return self._play(
            {one: RowTape(self._folder, partial(_file_of, QUOTES, one), quotes(one), now) for one in sorted(symbols)}
        )

    def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade | Subscribed, None]:
        now = self._clock.now()
        return self._play(
            {one: RowTape(self._folder, partial(_file_of, TRADES, one), trades(one), now) for one in sorted(symbols)}
        )

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncGenerator[Bar | Subscribed, None]:
        now = self._clock.now()
        return self._play({one: BarTape(self._folder, one, interval, now) for one in sorted(symbols)})

    async def order_books(self, symbol: str, depth: int) -> AsyncGenerator[OrderBook | Subscribed, None]:
        book = await self.order_book(symbol, depth)
        if book is not None:
            yield book

    async def close(self) -> None:
        self._closed.set()
        self._threads.shutdown(wait=False)

    def _play(self, tapes: Mapping[str, Tape[T]]) -> AsyncGenerator[T | Subscribed, None]:
        return Player(tapes, self._clock, self._read, self._rescan_seconds, self._closed).play()

    async def _contents(self) -> Contents:
        contents = await self._read(self._folder.contents)
        self.revision = contents.revision
        return contents

    async def _read(self, call: Callable[[], R]) -> R:
        """Runs `call` on a thread of the provider's own."""
        if self._closed.is_set():
            raise unavailable(NAME, "it is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except BadFile as problem:
            raise unavailable(NAME, str(problem)) from problem
        except OSError as problem:
            name = Path(str(problem.filename or "")).name or "the folder"
            raise unavailable(NAME, f"{name}: {problem.strerror or 'cannot be read'}") from problem


def _file_of(kind: str, symbol: str, contents: Contents) -> RecordedFile | None:
    contents.check(kind, symbol)
    return (contents.quotes if kind == QUOTES else contents.trades).get(symbol)
