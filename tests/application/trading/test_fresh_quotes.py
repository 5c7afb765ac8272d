"""Before a decision, what it will look at is made fresh: no more than that, and never for long."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from application.market_data.providers import Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from application.risk.commands.measure_losses_command import MeasureLosses
from application.risk.queries.get_exposure_query import GetExposure
from application.trading.account_book import AccountBook
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.hydration import hydrate
from application.trading.queries.get_portfolio_query import GetPortfolio
from domain.errors import OrderNotPlaced
from domain.market_data.instrument import InstrumentStatus
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import GroupType, Side
from tests.support.provider import SpokenMarketData
from tests.support.trading import ACCOUNT, D, Desk, instrument, terms

USER = "user:test"


def a_desk() -> Desk:
    """Dollars, euros and a dollar position in ACME; EURO is priced in euros, IDLE is held no more."""
    desk = Desk({"USD": 100_000, "EUR": 1_000})
    for symbol, currency in (("EURO", "EUR"), ("IDLE", "USD")):
        desk.quotes.list(instrument(symbol, currency))
        desk.quotes.set(symbol, "20")
    desk.quotes.set("EUR/USD", "1.25")
    desk.place(terms("held", quantity=100))
    desk.trade("t1", 100, 50, "held")
    desk.place(terms("in", quantity=10, price=20, symbol="IDLE"))
    desk.trade("t2", 10, 20, "in")
    desk.place(terms("out", Side.SELL, 10, 20, symbol="IDLE"))
    desk.trade("t3", 10, 20, "out")
    desk.quotes.asked.clear()
    return desk


def all_stale(desk: Desk) -> None:
    desk.quotes.stale = {"ACME", "EURO", "IDLE", "OTHER", "EUR/USD", "USD/EUR", "USD/USD", "GBP/USD"}


def test_an_order_refreshes_its_market_what_is_held_and_the_rates_that_value_it() -> None:
    desk = a_desk()
    all_stale(desk)
    desk.place(terms("x", quantity=1, price=20, symbol="EURO"))
    assert desk.quotes.asked == ["ACME", "EUR/USD", "EURO"]


def test_it_does_so_each_time_that_the_quotes_want_it_and_only_then() -> None:
    desk = a_desk()
    for number in range(3):
        desk.place(terms(f"fresh-{number}", quantity=1))
    assert desk.quotes.asked == []
    for number in range(3):
        desk.quotes.stale = {"ACME"}
        desk.place(terms(f"stale-{number}", quantity=1))
    assert desk.quotes.asked == ["ACME"] * 3


def test_the_inverse_rate_is_refreshed_where_there_is_no_direct_one() -> None:
    desk = a_desk()
    desk.quotes.remove("EUR/USD")
    desk.quotes.set("USD/EUR", "0.8")
    all_stale(desk)
    desk.place(terms("x", quantity=1))
    assert desk.quotes.asked == ["ACME", "EUR/USD", "USD/EUR"]


def test_an_instrument_that_becomes_known_has_its_currency_refreshed_too() -> None:
    desk = Desk()

    def provide(symbol: str) -> None:
        if symbol == "POND":
            desk.quotes.list(instrument("POND", "GBP"))
        desk.quotes.set(symbol, "2")

    desk.quotes.stale, desk.quotes.on_ensure = {"POND", "GBP/USD"}, provide
    order = desk.place(terms("x", quantity=1, price=2, symbol="POND"))
    assert desk.quotes.asked == ["POND", "GBP/USD"]
    assert order.reserve_price == 2


@pytest.mark.parametrize(
    "query", [GetPortfolio(ACCOUNT, USER), GetExposure(ACCOUNT, USER), MeasureLosses(ACCOUNT, USER)]
)
def test_what_values_the_account_refreshes_what_is_held_and_the_rates(
    query: GetPortfolio | GetExposure | MeasureLosses,
) -> None:
    desk = a_desk()
    all_stale(desk)
    desk.run(query)
    assert desk.quotes.asked == ["ACME", "EUR/USD"]


def test_an_exposure_in_another_currency_refreshes_the_rates_into_that_one() -> None:
    desk = a_desk()
    desk.quotes.stale = {"USD/EUR", "EUR/USD", "USD/GBP", "GBP/USD", "EUR/GBP"}
    desk.run(GetExposure(ACCOUNT, USER, "GBP"))
    assert desk.quotes.asked == ["EUR/GBP", "EUR/USD", "GBP/USD", "USD/GBP"]


def test_a_replace_refreshes_the_market_of_its_order_even_if_that_was_not_in_memory() -> None:
    desk = a_desk()
    desk.place(terms("x", quantity=1, price=20, symbol="EURO"))
    desk.report(ExecType.NEW)
    desk.restart()
    desk.quotes.asked.clear()
    all_stale(desk)
    desk.replace(limit_price=terms(price=19).limit_price)
    assert desk.quotes.asked == ["ACME", "EUR/USD", "EURO"]


def test_cancels_and_reports_wait_for_no_quote() -> None:
    desk = a_desk()
    desk.place(terms("x", quantity=2))
    desk.report(ExecType.NEW)
    all_stale(desk)
    desk.trade("t", 1)
    desk.cancel()
    desk.report(ExecType.CANCELED)
    assert desk.quotes.asked == []


def test_a_report_for_a_group_has_the_instrument_read_because_its_lot_size_counts() -> None:
    desk = a_desk()
    exits = (terms(name, Side.SELL, 2, price, reduce_only=True) for name, price in (("b", 60), ("c", 70)))
    members = (terms("a", quantity=2), *exits)
    desk.place_group(GroupType.OTO, *members)
    desk.report(ExecType.NEW, "a")
    quotes = desk.quotes
    forgotten = quotes.forget("ACME")
    quotes.stale, quotes.on_ensure = {"ACME"}, lambda symbol: quotes.list(forgotten)
    desk.trade("t", 1, client_order_id="a")
    assert quotes.asked == ["ACME"]


def test_an_order_for_a_halted_instrument_is_rejected_and_can_still_be_canceled() -> None:
    desk = a_desk()
    desk.place(terms("before", quantity=1))
    desk.report(ExecType.NEW, "before")
    desk.quotes.list(replace(instrument("ACME"), status=InstrumentStatus.HALTED))
    with pytest.raises(OrderNotPlaced, match="instrument ACME: HALTED"):
        desk.place(terms("x", quantity=1))
    assert desk.cancel("before").cancel_pending


# -- with the real board -----------------------------------------------------------------------------


class LiveDesk:
    """An account whose quotes come from a provider that has to be asked, by the board."""

    def __init__(self) -> None:
        self.desk = Desk(max_quote_age=D(30))
        self.live = SpokenMarketData(self.desk.clock)
        self.live.list("ACME", "BOLT")
        settings = BoardSettings(fetch_timeout_seconds=0.1)
        providers = Providers([self.live.offer()], self.live.name)
        self.board = QuoteBoard(providers, MemoryQuoteCache(self.desk.clock), self.desk.clock, settings)
        desk = self.desk
        desk.book = AccountBook(desk.records.snapshot(), desk.broker, self.board, desk.ids, desk.controls)

    async def place(self, client_order_id: str, symbol: str = "ACME") -> Order:
        desk, command = self.desk, PlaceOrder(ACCOUNT, USER, terms(client_order_id, quantity=1, symbol=symbol))
        desk.book.now, desk.book.actor = desk.clock.now(), USER
        await hydrate(desk.book, [command], desk.records.journal, desk.records.store)
        return command.decide(desk.book).order


@pytest.fixture
async def floor() -> AsyncIterator[LiveDesk]:
    floor = LiveDesk()
    yield floor
    await floor.board.close()


async def test_the_first_order_for_a_symbol_finds_its_instrument_and_a_fresh_quote(floor: LiveDesk) -> None:
    floor.live.quote("ACME", "50")
    order = await floor.place("x")
    assert order.currency == "USD"
    floor.desk.clock.advance(60)
    floor.live.quote("ACME", "51")
    await floor.place("y")
    assert floor.live.asked == [["ACME"], ["ACME"]]


async def turns() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_account_waits_for_a_provider_that_hangs_once_and_denies_meanwhile(floor: LiveDesk) -> None:
    floor.live.quote("ACME", "50")
    await floor.place("x")
    floor.desk.clock.advance(60)
    floor.live.hangs = True
    with pytest.raises(OrderNotPlaced, match="age of the quote"):
        await floor.place("y")
    for number in range(20):
        deciding = asyncio.create_task(floor.place(f"y-{number}"))
        await turns()
        assert deciding.done(), "it waits again"
        with pytest.raises(OrderNotPlaced, match="age of the quote"):
            await deciding
    floor.live.hangs = False
    floor.live.quote("ACME", "50")
    floor.desk.clock.advance(5)
    await turns()
    await floor.place("z")


async def test_what_the_provider_does_not_know_is_rejected(floor: LiveDesk) -> None:
    with pytest.raises(OrderNotPlaced, match="instrument NOPE"):
        await floor.place("x", "NOPE")
