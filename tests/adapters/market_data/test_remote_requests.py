"""The remote provider asks a real MarketDataService over a real socket, and answers as the one behind that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from adapters.market_data import remote_adapter
from adapters.market_data.remote_adapter import RemoteMarketData
from adapters.market_data.remote_settings import CAPABILITIES, RemoteSettings
from application.market_data.providers import Offer, Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from application.ports.market_data import BarRequest, Capabilities, DataKind, FetchedBars, MarketData
from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import Instrument, InstrumentStatus
from domain.market_data.trading_hours import ALWAYS_OPEN
from tests.support.market import FRIDAY_NOON, market_of, offer, simulated
from tests.support.provider import ASKED, SpokenMarketData
from tests.support.remote_rig import far_server, remote, spoken
from tests.support.scripted_bars import ScriptedBars, capabilities

MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def simulation(now: datetime = FRIDAY_NOON) -> AsyncIterator[tuple[MarketData, RemoteMarketData]]:
    """The simulated provider, and the remote one that sees it from afar."""
    clock, provider, market = simulated(now)
    async with far_server(clock, market) as server, remote(server) as near:
        yield provider, near


def bars_of(provider: ScriptedBars, can: Capabilities | None = None) -> Offer:
    return offer(provider, can or capabilities())  # type: ignore[arg-type]  # bars alone


def minutes(symbol: str = "AAPL", count: int = 20, **more: Any) -> BarRequest:
    """The last `count` minutes, the running one included."""
    end = FRIDAY_NOON + MINUTE
    fields = {"interval": BarInterval.MINUTE_1, "start": end - count * MINUTE, "end": end, "limit": 1_000}
    return BarRequest(symbol, **{**fields, **more})


# -- instruments -------------------------------------------------------------------------------------------


def _of_these_years(instrument: Instrument) -> Instrument:
    """With the holidays that the contract shows."""
    hours = instrument.hours
    kept = frozenset(day for day in hours.holidays if day.year in (FRIDAY_NOON.year, FRIDAY_NOON.year + 1))
    return replace(instrument, hours=replace(hours, holidays=kept))


async def test_the_catalogue_is_that_of_the_server_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_adapter, "_INSTRUMENTS_A_PAGE", 7)
    async with simulation() as (provider, near):
        there = [_of_these_years(one) for one in await provider.instruments()]
        assert await near.instruments() == there
        assert len(there) > 14


class BoltIsGone(ScriptedBars):
    def described(self, symbol: str) -> Instrument:
        one = super().described(symbol)
        return replace(one, status=InstrumentStatus.DELISTED) if symbol == "BOLT" else one


async def test_the_catalogue_has_the_delisted_ones_too() -> None:
    clock = ManualClock(FRIDAY_NOON)
    market = market_of(clock, bars_of(BoltIsGone(clock, FRIDAY_NOON)))
    async with far_server(clock, market) as server, remote(server) as near:
        assert [(one.symbol, one.status.value) for one in await near.instruments()] == [
            ("ACME", "ACTIVE"),
            ("BOLT", "DELISTED"),
            ("CORK", "ACTIVE"),
        ]


async def test_an_instrument_is_as_the_server_describes_it_and_an_unknown_one_is_none() -> None:
    async with simulation() as (provider, near):
        there = await provider.instrument("EUR/USD")
        assert there is not None
        assert await near.instrument("EUR/USD") == _of_these_years(there)
        assert await near.instrument("NOPE") is None


async def test_an_instrument_is_read_again_after_a_while_and_an_unknown_one_each_time() -> None:
    async with spoken("ACME", instrument_seconds=60) as (provider, near):
        for _ in range(3):
            assert await near.instrument("ACME")
            assert await near.instrument("NOPE") is None
        assert provider.read == ["ACME", "NOPE", "NOPE", "NOPE"]
        near._clock.advance(61)  # type: ignore[attr-defined]  # it is the test's own
        provider.delist("ACME")
        assert await near.instrument("ACME") is None


# -- quotes and order books --------------------------------------------------------------------------------


async def test_quotes_are_the_newest_that_the_server_has_and_unknown_symbols_are_left_out() -> None:
    async with simulation() as (provider, near):
        symbols = ["BTC/USD", "AAPL", "EUR/USD"]
        there = await provider.latest_quotes(symbols)
        assert await near.latest_quotes([*symbols, "NOPE", "AAPL"]) == there
        assert await near.latest_quotes([]) == []
        assert await near.latest_quotes(["NOPE"]) == []


async def test_an_instrument_that_has_no_quote_is_left_out_and_one_with_one_side_is_not() -> None:
    async with spoken("ACME", "BOLT") as (provider, near):
        quote = provider.quote("BOLT", "10.5", None, size=None)
        assert await near.latest_quotes(["ACME", "BOLT"]) == [quote]


async def test_more_symbols_than_one_request_takes_are_asked_for_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_adapter, "_MOST_QUOTES", 2)
    symbols = ["ACME", "BOLT", "CORK", "DENT", "EDGE"]
    async with spoken(*symbols) as (provider, near):
        there = [provider.quote(symbol, "10") for symbol in symbols]
        assert await near.latest_quotes(symbols) == there
        assert len(provider.asked) == 3


async def test_a_symbol_whose_provider_has_no_quotes_stands_in_the_way_of_no_other() -> None:
    clock = ManualClock(FRIDAY_NOON)
    quoted, unquoted = SpokenMarketData(clock), ScriptedBars(clock, FRIDAY_NOON)
    quoted.list("DENT")
    quote = quoted.quote("DENT", "10")
    providers = Providers([quoted.offer(), bars_of(unquoted)], quoted.name, [("ACME", unquoted.name)])
    board = QuoteBoard(providers, MemoryQuoteCache(clock), clock, BoardSettings())
    market = replace(market_of(clock, quoted.offer()), providers=providers, board=board)
    async with far_server(clock, market) as server, remote(server) as near:
        assert await near.latest_quotes(["ACME", "DENT"]) == [quote]
        board = market_of(clock, offer(near, CAPABILITIES)).board
        await board.ensure(["ACME"])
        await board.ensure(["DENT"])
        assert (board.latest("ACME"), board.latest("DENT")) == (None, quote)
        await board.close()


async def test_quotes_that_are_not_to_be_had_now_are_not_told_as_there_being_none() -> None:
    async with spoken("ACME", "BOLT") as (provider, near):
        provider.quote("BOLT", "10")
        provider.failing.add("ACME")
        with pytest.raises(Unavailable, match="it is down"):
            await near.latest_quotes(["ACME", "BOLT"])


async def test_an_order_book_has_the_levels_of_the_servers() -> None:
    async with simulation() as (provider, near):
        there = await provider.order_book("BTC/USD", 25)
        assert there is not None
        assert len(there.bids) == 25
        assert await near.order_book("BTC/USD", 25) == there
        assert await near.order_book("NOPE", 5) is None


# -- bars --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", BarInterval)
async def test_bars_of_each_interval_are_the_servers_the_last_one_partial(interval: BarInterval) -> None:
    now = FRIDAY_NOON + timedelta(minutes=40, seconds=40.9)
    async with simulation(now) as (provider, near):
        length = interval.fixed_length or timedelta(days=31)
        request = minutes("BTC/USD", interval=interval, start=now - 12 * length, end=now + length)
        there = (await provider.bars(request)).bars
        assert await near.bars(request) == FetchedBars(list(there), [])
        assert there[-1].partial or interval is BarInterval.SECOND_1, "in a second nothing may have traded yet"


async def test_a_long_list_of_bars_is_read_page_by_page_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_adapter, "_BARS_A_PAGE", 7)
    async with simulation() as (provider, near):
        there = list((await provider.bars(minutes())).bars)
        assert len(there) > 14
        assert (await near.bars(minutes())).bars == there
        for limit in (1, 7, 15):
            assert (await near.bars(minutes(limit=limit))).bars == there[:limit]


async def test_there_are_no_bars_of_an_unknown_symbol_nor_of_a_time_before_all_bars() -> None:
    async with simulation() as (_, near):
        assert not (await near.bars(minutes("NOPE"))).bars
        ages_ago = datetime(1850, 1, 1, tzinfo=UTC)
        assert await near.bars(minutes(start=ages_ago, end=ages_ago + MINUTE)) == FetchedBars(())
        later = await near.bars(minutes(start=FRIDAY_NOON - 5 * MINUTE, end=datetime(2999, 1, 1, tzinfo=UTC)))
        assert later.bars


async def test_spans_of_bars_that_were_thrown_away_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_adapter, "_BARS_A_PAGE", 4)
    clock = ManualClock(FRIDAY_NOON)
    start = FRIDAY_NOON.replace(microsecond=0) - 10 * MINUTE
    bars = ScriptedBars(clock, start, ALWAYS_OPEN)
    bars.absent = {start + 2 * MINUTE, start + 6 * MINUTE, start + 7 * MINUTE}
    bars.invalid = [(start + 2 * MINUTE, start + 3 * MINUTE)]
    async with far_server(clock, market_of(clock, bars_of(bars))) as server, remote(server) as near:
        found = await near.bars(minutes("ACME", start=start, end=FRIDAY_NOON - MINUTE))
        assert [(bar.open_time - start) // MINUTE for bar in found.bars] == [0, 1, 3, 4, 5, 8, 9]
        assert found.invalid == bars.invalid


async def test_adjustment_and_extended_hours_reach_the_provider() -> None:
    clock = ManualClock(FRIDAY_NOON)
    bars = ScriptedBars(clock, FRIDAY_NOON - timedelta(days=9), ALWAYS_OPEN)
    can = replace(capabilities(), extended_hours=True)
    async with far_server(clock, market_of(clock, bars_of(bars, can))) as server, remote(server) as near:
        request = minutes("ACME", count=5, adjustment=PriceAdjustment.SPLITS, extended_hours=True)
        found = await near.bars(request)
        assert {bar.adjustment for bar in found.bars} == {PriceAdjustment.SPLITS}
        assert {(one.adjustment, one.extended_hours) for one in bars.asked} == {(PriceAdjustment.SPLITS, True)}


async def test_what_the_provider_cannot_do_comes_back_as_its_own_refusal() -> None:
    async with simulation() as (_, near):
        with pytest.raises(PreconditionFailed, match="adjustment: simulated gives RAW prices only") as refused:
            await near.bars(minutes(adjustment=PriceAdjustment.ALL))
        assert (refused.value.reason, refused.value.metadata) == ("PROVIDER_NOT_CAPABLE", {"provider": "remote"})


def test_what_one_server_has_is_not_what_another_has() -> None:
    revisions = {
        RemoteMarketData(ManualClock(FRIDAY_NOON), RemoteSettings(address)).revision
        for address in ("one.example:1", "two.example:1")
    }
    assert len(revisions) == 2


def test_it_says_what_the_contract_has() -> None:
    assert not CAPABILITIES.local
    assert CAPABILITIES.streams == set(DataKind)
    assert DataKind.TRADES not in CAPABILITIES.requests
    assert ASKED.requests <= CAPABILITIES.requests
    assert CAPABILITIES.max_book_depth == 1_000
    assert Decimal(CAPABILITIES.poll_seconds) > 0
