"""What is at risk, in one account and in all, as real accounts have it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.risk.account_exposure import AccountExposure
from application.risk.queries.get_exposure_query import ExposureView, GetExposure, GetExposureHandler
from application.trading.commands.create_account_command import CreateAccount
from domain.errors import AccessDenied
from domain.risk.services.exposure import Exposure
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import Side
from tests.support.engine import MAIN, House
from tests.support.trading import ACCOUNT, Desk, instrument, terms

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


def exposed(desk: Desk, currency: str = "") -> AccountExposure:
    return desk.run(GetExposure(ACCOUNT, "user:test", currency))


def worst(exposure: AccountExposure) -> Any:
    return {stake.symbol: stake.worst for stake in exposure.stakes}


def a_desk() -> Desk:
    """Long 100 ACME at 50 with a buy of 10 at 40 open; short 10 EURO at 20 euro, which is 1.25 dollars."""
    desk = Desk(10_000)
    desk.quotes.list(instrument("EURO", "EUR"))
    desk.quotes.set("EURO", "20")
    desk.quotes.set("EUR/USD", "1.25")
    desk.place(terms("a", quantity=100, price=50))
    desk.trade("t", 100, 50, "a")
    desk.place(terms("b", SELL, 10, 20, symbol="EURO"))
    desk.trade("u", 10, 20, "b")
    desk.place(terms("c", quantity=10, price=40))
    return desk


def test_positions_and_open_orders_count_in_the_base_currency() -> None:
    desk = a_desk()
    exposure = exposed(desk)
    assert worst(exposure) == {"ACME": 5_400, "EURO": -250}
    assert (exposure.currency, exposure.equity, exposure.missing) == ("USD", D(10_000), ())
    assert (exposure.sequence, exposure.as_of) == (desk.records.sequence, desk.clock.now())


def test_another_currency_may_be_asked_for() -> None:
    exposure = exposed(a_desk(), "EUR")
    assert worst(exposure) == {"ACME": 4_320, "EURO": -200}
    assert (exposure.currency, exposure.equity) == ("EUR", D(8_000))


def test_the_gross_exposure_is_what_the_margin_uses() -> None:
    desk = a_desk()
    margin = desk.book.valuation.margin(desk.book.portfolio, desk.book.open_orders, D(1))
    assert sum(abs(amount or 0) for amount in worst(exposed(desk)).values()) == margin.used


def test_a_submission_that_is_not_proven_counts() -> None:
    desk = Desk()
    desk.place(quantity=10, price=50)
    desk.report(ExecType.UNCLEAR)
    assert worst(exposed(desk)) == {"ACME": 500}
    desk.report(ExecType.ABSENT)
    assert exposed(desk).stakes == ()


def test_an_order_that_can_only_reduce_counts_nothing() -> None:
    desk = a_desk()
    desk.place(terms("d", SELL, 100, 60, reduce_only=True))
    assert worst(exposed(desk))["ACME"] == 5_400


@pytest.mark.parametrize(
    ("removed", "missing", "told"),
    [
        ("ACME", ("ACME",), {"ACME": None, "EURO": -250}),
        ("EUR/USD", ("EUR/USD",), {"ACME": 5_400, "EURO": None}),
    ],
)
def test_what_lacks_a_price_is_named_and_not_guessed(
    removed: str, missing: tuple[str, ...], told: dict[str, int | None]
) -> None:
    desk = a_desk()
    desk.quotes.remove(removed)
    exposure = exposed(desk)
    assert (exposure.missing, exposure.equity) == (missing, None)
    assert worst(exposure) == told


def test_open_orders_need_no_quote_but_a_rate() -> None:
    desk = Desk()
    desk.quotes.list(instrument("EURO", "EUR"))
    desk.quotes.set("EURO", "20")
    desk.quotes.set("EUR/USD", "1.25")
    desk.place(terms("b", quantity=10, price=20, symbol="EURO"))
    desk.quotes.remove("EURO")
    assert worst(exposed(desk)) == {"EURO": 250}
    desk.quotes.remove("EUR/USD")
    assert (worst(exposed(desk)), exposed(desk).missing) == ({"EURO": None}, ("EUR/USD",))


def test_every_limit_in_force_is_told_with_its_use() -> None:
    desk = a_desk()
    desk.book.profile = replace(
        desk.book.profile,
        max_leverage=D(2),
        max_position_quantity=D(200),
        max_gross_exposure=D(11_300),
        max_open_orders=4,
    )
    uses: Any = {(use.rule, use.key): (use.value, use.limit, use.used_percent) for use in exposed(desk, "EUR").limits}
    assert uses == {
        ("MAX_OPEN_ORDERS", ""): (1, 4, 25),
        ("MAX_POSITION", "ACME"): (110, 200, 55),
        ("MAX_POSITION", "EURO"): (10, 200, 5),
        ("MAX_GROSS_EXPOSURE", ""): (5_650, 11_300, 50),
        ("MAX_LEVERAGE", ""): (D("0.565"), 2, D("28.25")),
    }


def test_without_a_price_the_limits_that_need_none_are_told_still() -> None:
    desk = a_desk()
    desk.book.profile = replace(desk.book.profile, max_position_quantity=D(200), max_position_notional=D(11_000))
    desk.quotes.remove("ACME")
    uses = [(use.rule, use.key, use.value) for use in exposed(desk).limits]
    assert uses == [
        ("MAX_POSITION", "ACME", D(110)),
        ("MAX_POSITION", "EURO", D(10)),
        ("MAX_POSITION", "EURO", D(250)),
    ]


ORDERS = st.lists(
    st.tuples(st.sampled_from(["ACME", "EURO"]), st.sampled_from(Side), st.integers(1, 30), st.booleans()), max_size=8
)


@given(ORDERS)
def test_it_agrees_with_the_margin_whatever_was_traded(orders: list[tuple[str, Side, int, bool]]) -> None:
    desk = Desk(1_000_000)
    desk.quotes.list(instrument("EURO", "EUR"))
    desk.quotes.set("EURO", "20")
    desk.quotes.set("EUR/USD", "1.25")
    for i, (symbol, side, quantity, fills) in enumerate(orders):
        price = {"ACME": 50, "EURO": 20}[symbol] - side.sign
        desk.place(terms(str(i), side, quantity, price, symbol=symbol))
        if fills:
            desk.trade(str(i), quantity, price, str(i))
    exposure = exposed(desk)
    margin = desk.book.valuation.margin(desk.book.portfolio, desk.book.open_orders, D(1))
    assert exposure.equity == margin.equity
    assert sum((abs(amount or 0) for amount in worst(exposure).values()), D(0)) == margin.used


# -- several accounts, and whose the positions are -------------------------------------------------------------


@pytest.fixture
async def house() -> Any:
    opened = await House().open()
    opened.quotes.list(replace(instrument("BOLT"), sector="Energy"))
    opened.quotes.set("BOLT", "20")
    yield opened
    await opened.close()


async def ask(house: House, currency: str = "") -> ExposureView:
    return await GetExposureHandler(house.engine, house.clock).of_account(GetExposure(MAIN, "user:test", currency))


async def traded(house: House, id: str, side: Side, quantity: int, strategy: str, **more: Any) -> None:
    await house.place(id, side=side, quantity=quantity, strategy_id=strategy, **more)
    await house.tell(ExecType.TRADE, id, execution_id=id, quantity=quantity)


def amounts(parts: Any) -> Any:
    return {key: (part.long, part.short) for key, part in parts.items()}


async def test_every_grouping_shows_the_same_exposure(house: House) -> None:
    await traded(house, "a", BUY, 100, "trend")
    await traded(house, "b", SELL, 50, "mean", symbol="BOLT", price=20)
    await house.place("c", side=BUY, quantity=10, price=40, strategy_id="mean")
    view = await ask(house)
    assert amounts(view.by_symbol) == {"ACME": (5_400, 0), "BOLT": (0, 1_000)}
    assert amounts(view.by_currency) == {"USD": (5_400, 1_000)}
    assert amounts(view.by_sector) == {"": (5_400, 0), "Energy": (0, 1_000)}
    assert amounts(view.by_strategy) == {"mean": (400, 1_000), "trend": (5_000, 0)}
    assert amounts(view.by_account) == {MAIN: (5_400, 1_000)}
    assert (view.total.gross, view.total.net) == (D(6_400), D(4_400))
    assert (view.account_id, view.sequence, view.equity) == (MAIN, len(house.events), D(100_001_500))


async def test_a_position_that_one_strategy_opened_and_another_lowered_belongs_to_both(house: House) -> None:
    await traded(house, "a", BUY, 100, "trend")
    await traded(house, "b", SELL, 40, "hedge")
    view = await ask(house)
    assert amounts(view.by_strategy) == {"hedge": (0, 2_000), "trend": (5_000, 0)}
    assert amounts(view.by_symbol) == {"ACME": (3_000, 0)}


async def test_what_is_bust_belongs_to_nobody(house: House) -> None:
    await house.place("a", quantity=100, strategy_id="trend")
    await house.tell(ExecType.TRADE, "a", execution_id="a", quantity=60)
    await house.tell(ExecType.CANCELED, "a")
    await traded(house, "b", BUY, 50, "mean")
    assert amounts((await ask(house)).by_strategy) == {"mean": (2_500, 0), "trend": (3_000, 0)}
    await house.tell(ExecType.TRADE_CANCEL, "a", reference_id="a")
    assert amounts((await ask(house)).by_strategy) == {"mean": (2_500, 0)}


async def test_all_accounts_are_told_in_one_currency_without_limits(house: House) -> None:
    house.quotes.set("EUR/USD", "1.25")
    for account, currency in (("euro", "EUR"), ("idle", "USD")):
        await house.create_account(CreateAccount(account, "user:test", "scripted", currency, D(1_000)))
    await traded(house, "a", BUY, 100, "trend")
    writer = house.engine.writer("euro")
    await writer.execute(replace(house.placing("z", side=SELL, quantity=1, price=60), account_id="euro"))
    view = await GetExposureHandler(house.engine, house.clock).of_all("user:test", "USD")
    assert amounts(view.by_account) == {"euro": (0, 60), MAIN: (5_000, 0)}
    assert amounts(view.by_symbol) == {"ACME": (5_000, 60)}
    assert (view.account_id, view.sequence, view.limits, view.currency) == ("", 0, (), "USD")
    assert view.equity == 100_000_000 + 1_250 + 1_000


async def test_without_accounts_there_is_no_exposure() -> None:
    house = House()
    await house.engine.start()
    view = await GetExposureHandler(house.engine, house.clock).of_all("user:test", "USD")
    assert (view.total, view.equity, view.by_symbol, view.as_of) == (Exposure(), D(0), {}, house.clock.now())
    await house.close()


async def test_an_unknown_account_is_denied(house: House) -> None:
    handler = GetExposureHandler(house.engine, house.clock)
    with pytest.raises(AccessDenied):
        await handler.of_account(GetExposure("nobody", "user:test"))
