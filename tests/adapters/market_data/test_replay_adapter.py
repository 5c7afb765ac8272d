"""Recorded market data played on a clock: on request, live, and from files that are wrong."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from adapters.clock import AcceleratedClock, ManualClock
from adapters.market_data.conventions import us_equity
from adapters.market_data.replay_adapter import ReplayMarketData
from adapters.market_data.replay_settings import ReplaySettings
from application.ports.market_data import BarRequest, MarketData, Subscribed
from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.quote import Quote
from tests.support.live_items import only_items
from tests.support.recordings import Table, settle, write, write_text

T = TypeVar("T")

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FORMATS = pytest.mark.parametrize("suffix", ["csv", "parquet"])
_LONGEST_WAIT = 10.0
_SEEN_SECONDS = 0.3
"""Long enough that a new file has been seen."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def replay(tmp_path: Path, clock: ManualClock) -> AsyncIterator[ReplayMarketData]:
    provider = ReplayMarketData(clock, ReplaySettings(str(tmp_path), rescan_seconds=0.02))
    yield provider
    await provider.close()


def times(*seconds: float) -> list[str]:
    return [(START + second * SECOND).isoformat() for second in seconds]


def quotes_at(*seconds: float) -> Table:
    bids = [100 + second for second in seconds]
    return {"time": times(*seconds), "bid": bids, "bid_size": bids, "ask": [bid + 1 for bid in bids], "ask_size": bids}


def trades_at(*seconds: float) -> Table:
    return {"time": times(*seconds), "price": [100 + second for second in seconds], "size": [1.0 for _ in seconds]}


@asynccontextmanager
async def heard(items: AsyncGenerator[T | Subscribed, None]) -> AsyncIterator[list[T]]:
    """What has come so far. An error of the iterator is raised at the end."""
    found = list[T]()

    async def collect() -> None:
        async for item in only_items(items):
            found.append(item)

    task = asyncio.ensure_future(collect())
    await settled(found)
    try:
        yield found
    finally:
        if not task.done():
            task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def moved(clock: ManualClock, found: list[T], seconds: float, step: float | None = None, least: int = 0) -> None:
    """Moves the clock in steps, after each of which everything else has its turn; waits for the `least` that comes."""
    for _ in range(round(seconds / (step or seconds))):
        clock.advance(step or seconds)
        await settled(found)
    async with asyncio.timeout(_LONGEST_WAIT):
        while len(found) < least:  # noqa: ASYNC110 - what comes is a list that grows, without an event
            await asyncio.sleep(0.01)


def prices(count: int) -> Table:
    return {name: [10.0] * count for name in ("open", "high", "low", "close", "volume")}


async def settled(found: list[T]) -> None:
    """Until nothing has come for a moment: files are read on threads."""
    count = -1
    while count != len(found):
        count = len(found)
        await asyncio.sleep(0.06)


def test_it_is_a_provider(replay: ReplayMarketData) -> None:
    provider: MarketData = replay
    assert provider.name == "replay"


async def test_the_catalogue_is_what_has_a_recording(tmp_path: Path, replay: ReplayMarketData) -> None:
    write(tmp_path / "quotes" / "MSFT.csv", quotes_at(1))
    write(tmp_path / "trades" / "BTC_USDT.csv", trades_at(1))
    write_text(tmp_path / "instruments.csv", "symbol,name\nAAPL,Apple Inc.\n")
    await asyncio.sleep(0.03)
    assert [one.symbol for one in await replay.instruments()] == ["AAPL", "BTC/USDT", "MSFT"]
    assert await replay.instrument("AAPL") == us_equity("AAPL", "Apple Inc.")
    assert await replay.instrument("IBM") is None


# -- quotes on request --------------------------------------------------------------------------------------


@FORMATS
async def test_the_latest_quote_is_the_last_recorded_one_up_to_now(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock, suffix: str
) -> None:
    write(tmp_path / "quotes" / f"AAPL.{suffix}", quotes_at(1, 2, 5))
    write(tmp_path / "quotes" / f"MSFT.{suffix}", quotes_at(3))
    assert await replay.latest_quotes(["AAPL", "MSFT", "IBM"]) == []
    clock.advance(2)
    assert await replay.latest_quotes(["AAPL", "MSFT", "IBM"]) == [
        Quote("AAPL", Decimal(102), Decimal(102), Decimal(103), Decimal(102), START + 2 * SECOND)
    ]
    clock.advance(100)
    assert [quote.bid_price for quote in await replay.latest_quotes(["MSFT", "AAPL"])] == [105, 103]


# -- streams ------------------------------------------------------------------------------------------------


@FORMATS
async def test_quotes_come_at_their_recorded_time_and_those_of_the_past_do_not(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock, suffix: str
) -> None:
    write(tmp_path / "quotes" / f"AAPL.{suffix}", quotes_at(-5, 0, 1, 2.5, 4))
    async with heard(replay.quotes(["AAPL"])) as found:
        assert found == []
        await moved(clock, found, 3, step=1, least=2)
    assert [quote.quote_time for quote in found] == [START + SECOND, START + 2.5 * SECOND]


@FORMATS
async def test_each_trade_is_given_and_symbols_are_merged_by_time(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock, suffix: str
) -> None:
    write(tmp_path / "trades" / f"AAPL.{suffix}", trades_at(*(number / 100 for number in range(0, 1000, 2))))
    write(tmp_path / "trades" / f"MSFT.{suffix}", trades_at(*(number / 100 for number in range(1, 1000, 2))))
    async with heard(replay.trades(["MSFT", "AAPL", "NONE"])) as found:
        await moved(clock, found, 10, step=5, least=999)
    assert [trade.trade_time for trade in found] == [START + number * SECOND / 100 for number in range(1, 1000)]
    assert {trade.symbol for trade in found[::2]} == {"MSFT"}


async def test_trades_of_one_moment_all_come(tmp_path: Path, replay: ReplayMarketData, clock: ManualClock) -> None:
    write(tmp_path / "trades" / "AAPL.csv", trades_at(*([1] * 700)))
    async with heard(replay.trades(["AAPL"])) as found:
        await moved(clock, found, 1, least=700)
    assert len(found) == 700


@FORMATS
async def test_bars_come_when_they_complete_made_of_finer_ones(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock, suffix: str
) -> None:
    minutes = [60 * number for number in range(-2, 12)]
    write(tmp_path / "bars" / f"BTC_USDT.1m.{suffix}", {"time": times(*minutes), **prices(len(minutes))})
    async with heard(replay.live_bars(["BTC/USDT"], BarInterval.MINUTE_5)) as found:
        await moved(clock, found, 299)
        assert found == []
        await moved(clock, found, 1, least=1)
        assert [(bar.close_time, bar.volume, bar.partial) for bar in found] == [
            (START + 300 * SECOND, Decimal(50), False)
        ]
        await moved(clock, found, 300, least=2)
        assert [bar.close_time for bar in found[1:]] == [START + 600 * SECOND]


async def test_a_bar_that_runs_already_comes_whole(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock
) -> None:
    write(tmp_path / "bars" / "BTC_USDT.1m.csv", {"time": times(*range(-1800, 1800, 60)), **prices(60)})
    async with heard(replay.live_bars(["BTC/USDT"], BarInterval.HOUR_1)) as found:
        await moved(clock, found, 1800, least=1)
    assert [(bar.open_time, bar.volume) for bar in found] == [(START - 1800 * SECOND, Decimal(600))]


async def test_the_last_bar_comes_at_its_close_or_when_its_last_row_can_be_expected(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock
) -> None:
    write(tmp_path / "bars" / "AAPL.1m.csv", {"time": times(0, 60), **prices(2)})
    minutes, fives = (replay.live_bars(["AAPL"], one) for one in (BarInterval.MINUTE_1, BarInterval.MINUTE_5))
    async with heard(minutes) as found, heard(fives) as late:
        await moved(clock, found, 120, least=2)
        assert [bar.open_time for bar in found] == [START, START + 60 * SECOND]
        await moved(clock, late, 239)
        assert late == []
        await moved(clock, late, 1, least=1)
        assert [bar.volume for bar in late] == [20]


async def test_what_is_added_while_it_runs_is_played_and_so_is_a_new_file(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock
) -> None:
    path = write(tmp_path / "trades" / "AAPL.csv", trades_at(1))
    async with heard(replay.trades(["AAPL", "MSFT"])) as found:
        await moved(clock, found, 1, least=1)
        with path.open("a") as file:
            file.write(f"{times(2)[0]},7,1\n")
        settle(path)
        write(tmp_path / "trades" / "MSFT.csv", trades_at(0, 3))
        await asyncio.sleep(_SEEN_SECONDS)
        await moved(clock, found, 2, least=3)
    assert [(trade.symbol, trade.trade_time) for trade in found] == [
        ("AAPL", START + SECOND),
        ("AAPL", START + 2 * SECOND),
        ("MSFT", START + 3 * SECOND),
    ]


@FORMATS
async def test_a_file_that_is_replaced_goes_on_behind_what_was_given(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock, suffix: str
) -> None:
    path = write(tmp_path / "trades" / f"AAPL.{suffix}", trades_at(1, 2))
    async with heard(replay.trades(["AAPL"])) as found:
        await moved(clock, found, 2, least=2)
        write(tmp_path / "new" / path.name, trades_at(0, 1, 2, 3, 4)).replace(path)
        await moved(clock, found, 2, least=4)
    assert [trade.trade_time for trade in found] == [START + second * SECOND for second in (1, 2, 3, 4)]


async def test_a_fast_clock_in_the_past_plays_everything(tmp_path: Path) -> None:
    write(tmp_path / "trades" / "AAPL.csv", trades_at(*range(4001, 6001)))
    replay = ReplayMarketData(AcceleratedClock(20_000, START), ReplaySettings(str(tmp_path)))
    found = 0
    async with aclosing(only_items(replay.trades(["AAPL"]))) as trades, asyncio.timeout(_LONGEST_WAIT):
        async for trade in trades:
            found += 1
            if trade.trade_time == START + 6000 * SECOND:
                break
    assert found == 2000
    await replay.close()


async def test_closing_ends_the_iterators_and_refuses_what_comes_later(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock
) -> None:
    write(tmp_path / "trades" / "AAPL.csv", trades_at(1, 2, 3))
    async with heard(replay.trades(["AAPL"])) as found, heard(replay.quotes(["AAPL"])) as none:
        await moved(clock, found, 1, least=1)
        await replay.close()
        await moved(clock, found, 5)
    assert (len(found), none) == (1, [])
    assert [item async for item in replay.trades(["AAPL"])] == []
    with pytest.raises(Unavailable, match="it is closed"):
        await replay.instruments()


async def test_nothing_is_played_of_no_symbol(replay: ReplayMarketData) -> None:
    assert [item async for item in replay.quotes([])] == []


async def test_a_symbol_is_subscribed_once_the_files_can_be_read_whether_there_is_one_of_it_or_not(
    tmp_path: Path, replay: ReplayMarketData
) -> None:
    write(tmp_path / "trades" / "AAPL.csv", trades_at(100))
    write_text(tmp_path / "trades" / "IBM.csv", "time,price,size\nnonsense,1,1\n")
    async with aclosing(replay.trades(["MSFT", "AAPL"])) as trades:
        assert [await anext(trades) for _ in range(2)] == [Subscribed("AAPL"), Subscribed("MSFT")]
    async with aclosing(replay.trades(["IBM"])) as trades:
        with pytest.raises(Unavailable, match=r"trades/IBM\.csv"):
            await anext(trades)


# -- bad files ----------------------------------------------------------------------------------------------


async def test_a_file_that_breaks_a_rule_is_named_with_its_line_wherever_it_is_needed(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock
) -> None:
    write_text(tmp_path / "quotes" / "AAPL.csv", f"time,bid,ask\n{times(1)[0]},1,2\n{times(2)[0]},x,2\n")
    write_text(tmp_path / "bars" / "AAPL.1m.csv", f"time,open,high,low,close\n{times(1)[0]},x,1,1,1\n")
    write(tmp_path / "quotes" / "MSFT.csv", quotes_at(1))
    clock.advance(3)
    with pytest.raises(Unavailable, match=r"replay: quotes/AAPL\.csv, line 3: bid_price: must be a number") as told:
        await replay.latest_quotes(["AAPL"])
    assert told.value.reason == "MARKET_DATA_UNAVAILABLE"
    with pytest.raises(Unavailable, match=r"bars/AAPL\.1m\.csv, line 2: open: must be a number, not 'x'"):
        await replay.bars(BarRequest("AAPL", BarInterval.MINUTE_1, START, START + 60 * SECOND, 10))
    assert len(await replay.latest_quotes(["MSFT"])) == 1


async def test_a_stream_that_meets_a_bad_line_gives_what_is_before_it_and_fails(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock
) -> None:
    good = "\n".join(f"{times(number / 10)[0]},1,1" for number in range(1, 1000))
    write_text(tmp_path / "trades" / "AAPL.csv", f"time,price,size\n{good}\nnonsense,1,1\n")
    with pytest.raises(Unavailable, match=r"trades/AAPL\.csv, line 1001: time: must be a time"):
        async with heard(replay.trades(["AAPL"])) as found:
            await moved(clock, found, 100)
    assert len(found) >= 700


async def test_instruments_that_cannot_be_read_are_named(tmp_path: Path, replay: ReplayMarketData) -> None:
    write_text(tmp_path / "instruments.csv", "symbol,tick_size\nAAPL,none\n")
    with pytest.raises(Unavailable, match=r"instruments\.csv, line 2: tick_size"):
        await replay.instrument("AAPL")


async def test_a_file_that_went_away_is_named(tmp_path: Path, clock: ManualClock) -> None:
    path = write(tmp_path / "quotes" / "AAPL.csv", quotes_at(-1))
    replay = ReplayMarketData(clock, ReplaySettings(str(tmp_path), rescan_seconds=60))
    assert len(await replay.latest_quotes(["AAPL"])) == 1
    path.unlink()
    with pytest.raises(Unavailable, match=r"replay: AAPL\.csv: No such file or directory"):
        await replay.latest_quotes(["AAPL"])
    await replay.close()


async def test_there_are_no_order_books(replay: ReplayMarketData) -> None:
    with pytest.raises(PreconditionFailed, match="has no order books"):
        await replay.order_book("AAPL", 1)
    with pytest.raises(PreconditionFailed, match="has no order books"):
        await anext(replay.order_books("AAPL", 1))


# -- bars ---------------------------------------------------------------------------------------------------


async def test_bars_show_nothing_of_the_future_and_are_none_of_an_unknown_symbol(
    tmp_path: Path, replay: ReplayMarketData, clock: ManualClock
) -> None:
    write(tmp_path / "bars" / "BTC_USDT.1m.csv", {"time": times(*range(-120, 600, 60)), **prices(12)})
    request = BarRequest("BTC/USDT", BarInterval.MINUTE_1, START - 600 * SECOND, START + 600 * SECOND, 100)
    for passed, count in ((0, 2), (59, 2), (60, 3)):
        clock.advance(START.timestamp() + passed - clock.now().timestamp())
        assert len((await replay.bars(request)).bars) == count
    unknown = BarRequest("IBM", BarInterval.MINUTE_1, START, START + SECOND, 1)
    assert list((await replay.bars(unknown)).bars) == []


async def test_the_revision_changes_with_the_bars_that_there_are(tmp_path: Path, replay: ReplayMarketData) -> None:
    await replay.instrument("AAPL")
    before = replay.revision
    write(tmp_path / "bars" / "AAPL.1m.csv", {"time": times(0), **prices(1)})
    await asyncio.sleep(0.03)
    await replay.instrument("AAPL")
    assert replay.revision != before != ""
