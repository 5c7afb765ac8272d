"""Quotes and books of the simulated market: the same for whoever asks, on the grid, by the sessions."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_catalogue import LISTINGS
from adapters.market_data.simulation_settings import Sessions, SimulationSettings
from domain.decimals import is_multiple
from tests.support.simulated import FRIDAY_EVENING, MOMENTS, NOON, TICK, latest, market

ROOT = Path(__file__).parents[3]
SYMBOLS = st.sampled_from(sorted(LISTINGS))
SESSIONS = st.sampled_from(get_args(Sessions))


# -- determinism -----------------------------------------------------------------------------------


@given(SYMBOLS, SESSIONS, MOMENTS, st.lists(st.timedeltas(timedelta(0), timedelta(days=300)), max_size=5))
def test_a_quote_depends_on_seed_symbol_and_time_and_not_on_what_was_asked_before(
    symbol: str, sessions: Sessions, moment: datetime, earlier: list[timedelta]
) -> None:
    travelled = ManualClock(moment - sum(earlier, timedelta(0)))
    provider = SimulatedMarketData(travelled, SimulationSettings(sessions=sessions))
    for step in earlier:
        provider.in_memory.latest(symbol)
        travelled.advance(step.total_seconds())
    assert provider.in_memory.latest(symbol) == market(travelled.now(), sessions=sessions).in_memory.latest(symbol)


def test_another_seed_is_another_market() -> None:
    ours, theirs = market(NOON, seed=1), market(NOON, seed=2)
    assert all(ours.in_memory.latest(symbol) != theirs.in_memory.latest(symbol) for symbol in LISTINGS)


def test_another_process_sees_the_same_market() -> None:
    script = (
        "import json, sys\n"
        "from datetime import datetime\n"
        "from adapters.clock import ManualClock\n"
        "from adapters.market_data.simulated_adapter import SimulatedMarketData\n"
        "from adapters.market_data.simulation_settings import SimulationSettings\n"
        "clock = ManualClock(datetime.fromisoformat(sys.argv[1]))\n"
        "market = SimulatedMarketData(clock, SimulationSettings())\n"
        "print(json.dumps({symbol: str(market.in_memory.latest(symbol)) for symbol in sys.argv[2:]}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, NOON.isoformat(), *LISTINGS],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert json.loads(result.stdout) == {symbol: str(market(NOON).in_memory.latest(symbol)) for symbol in LISTINGS}


def test_a_seeds_market_stays_what_it_was_in_earlier_releases() -> None:
    provider = market(NOON, seed=1)
    shown = {symbol: latest(provider, symbol) for symbol in ("AAPL", "EUR/JPY", "BTC/USD")}
    assert {
        symbol: f"{quote.bid_size} x {quote.bid_price} - {quote.ask_price} x {quote.ask_size}"
        for symbol, quote in shown.items()
    } == {
        "AAPL": "600 x 184.31 - 184.32 x 100",
        "EUR/JPY": "3500000 x 149.691 - 149.715 x 2000000",
        "BTC/USD": "1.38462 x 58974.72 - 58976.96 x 3.23078",
    }


# -- quotes and depth ------------------------------------------------------------------------------


@given(SYMBOLS, SESSIONS, MOMENTS)
def test_a_quote_lies_on_the_grid_with_its_bid_below_its_ask_and_a_realistic_spread(
    symbol: str, sessions: Sessions, moment: datetime
) -> None:
    quote = latest(market(moment, sessions=sessions), symbol)
    instrument = LISTINGS[symbol].instrument
    assert 0 < quote.bid_price < quote.ask_price
    assert all(is_multiple(price, instrument.tick_size) for price in (quote.bid_price, quote.ask_price))
    assert all(size > 0 and is_multiple(size, instrument.lot_size) for size in (quote.bid_size, quote.ask_size))
    usual = quote.mid * Decimal(LISTINGS[symbol].spread)
    assert quote.ask_price - quote.bid_price <= max(instrument.tick_size, 2 * usual)


@given(SYMBOLS, MOMENTS, st.sampled_from([0.1, 0.25, 1.0, 7.0]))
def test_a_quote_is_as_old_as_its_tick_and_stays_for_the_whole_of_it(
    symbol: str, moment: datetime, interval: float
) -> None:
    clock = ManualClock(moment)
    provider = SimulatedMarketData(clock, SimulationSettings(tick_interval=interval))
    quote = latest(provider, symbol)
    age = moment - quote.quote_time
    assert timedelta(0) <= age < timedelta(seconds=interval)
    clock.advance((timedelta(seconds=interval) - age).total_seconds() - 0.000_001)
    assert provider.in_memory.latest(symbol) is quote
    clock.advance(0.000_001)
    assert latest(provider, symbol).quote_time == quote.quote_time + timedelta(seconds=interval)


def test_sizes_vary_so_that_a_large_order_fills_in_parts() -> None:
    clock = ManualClock(NOON)
    provider = SimulatedMarketData(clock, SimulationSettings())
    sizes = set()
    for _ in range(200):
        sizes.add(latest(provider, "AAPL").ask_size)
        clock.advance(0.25)
    assert sizes == {Decimal(hundreds * 100) for hundreds in range(1, 9)}


@given(SYMBOLS, MOMENTS, st.integers(1, 50))
async def test_the_book_begins_with_the_quote_and_grows_away_from_it(symbol: str, moment: datetime, depth: int) -> None:
    provider = market(moment)
    quote = latest(provider, symbol)
    book = await provider.order_book(symbol, depth)
    instrument = LISTINGS[symbol].instrument
    assert book is not None
    assert book.book_time == quote.quote_time
    assert (book.bids[0].price, book.bids[0].size) == (quote.bid_price, quote.bid_size)
    assert (book.asks[0].price, book.asks[0].size) == (quote.ask_price, quote.ask_size)
    assert len(book.bids) == len(book.asks) == depth
    assert all(better.price > worse.price and better.size < worse.size for better, worse in pairwise(book.bids))
    assert all(better.price < worse.price and better.size < worse.size for better, worse in pairwise(book.asks))
    for level in (*book.bids, *book.asks):
        assert is_multiple(level.price, instrument.tick_size)
        assert is_multiple(level.size, instrument.lot_size)


async def test_bids_end_before_the_price_would_be_zero() -> None:
    book = await market(NOON).order_book("VOD", 5_000)
    assert book is not None
    assert len(book.bids) < len(book.asks) == 5_000
    assert book.bids[-1].price > 0


def test_what_is_not_in_the_catalogue_is_unknown() -> None:
    provider = market(NOON)
    assert provider.in_memory.instrument("NOPE") is None
    assert provider.in_memory.latest("NOPE") is None
    assert asyncio.run(provider.order_book("NOPE", 5)) is None


def test_nothing_is_quoted_before_the_history_begins() -> None:
    assert market(datetime(1999, 6, 1, tzinfo=UTC)).in_memory.latest("AAPL") is None


def test_cross_rates_and_their_legs_agree_at_the_turn_of_the_day() -> None:
    provider = market(datetime(2026, 3, 4, tzinfo=UTC))
    product = latest(provider, "EUR/USD").mid * latest(provider, "USD/JPY").mid
    assert abs(latest(provider, "EUR/JPY").mid / product - 1) < Decimal("0.0005")


# -- sessions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed_for", [timedelta(0), timedelta(hours=1), timedelta(days=2)])
def test_the_last_quote_stays_and_grows_old_while_an_exchange_is_closed(closed_for: timedelta) -> None:
    quote = latest(market(FRIDAY_EVENING + closed_for, sessions="exchange"), "AAPL")
    assert quote.quote_time == FRIDAY_EVENING - TICK
    assert quote == latest(market(FRIDAY_EVENING - TICK, sessions="exchange"), "AAPL")


def test_quotes_are_fresh_again_from_the_open_on() -> None:
    monday = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
    before, after = (market(at, sessions="exchange") for at in (monday - TICK, monday))
    assert latest(before, "AAPL").quote_time == FRIDAY_EVENING - TICK
    assert latest(after, "AAPL").quote_time == monday


@pytest.mark.parametrize(("symbol", "trades"), [("AAPL", False), ("EUR/USD", False), ("BTC/USD", True)])
def test_only_crypto_trades_on_a_saturday(symbol: str, trades: bool) -> None:
    saturday = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
    assert (latest(market(saturday, sessions="exchange"), symbol).quote_time == saturday) is trades
