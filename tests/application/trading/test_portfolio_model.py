"""Cash, positions and profit after any fills, busts and corrections, held against a portfolio worked out slowly."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from domain.trading.entities.fill import Fill
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import Side
from tests.support.model import agrees, cash_after, worked_out
from tests.support.trading import Desk, instrument, terms

SYMBOLS = {"ACME": "USD", "EURO": "EUR", "NIPPON": "JPY"}
START = {"USD": Decimal(10**9), "EUR": Decimal(1000)}

PRICES = st.decimals(min_value=Decimal("0.01"), max_value=200, places=2)
FEES = st.decimals(min_value=-1, max_value=5, places=3)


class Traded(NamedTuple):
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    fee: Decimal
    fee_currency: str


class Busted(NamedTuple):
    which: int


class Corrected(NamedTuple):
    which: int
    quantity: int
    price: Decimal


class Restarted(NamedTuple):
    pass


STEPS = st.one_of(
    st.builds(
        Traded,
        st.sampled_from(list(SYMBOLS)),
        st.sampled_from(Side),
        st.integers(1, 20),
        PRICES,
        FEES,
        st.sampled_from(["USD", "EUR", "JPY", "XYZ"]),
    ),
    st.builds(Busted, st.integers(0, 30)),
    st.builds(Corrected, st.integers(0, 30), st.integers(1, 20), PRICES),
    st.builds(Restarted),
)


class Trader:
    """One order a symbol and side, large enough for all fills; `counting` are the fills in the order of the trades."""

    def __init__(self) -> None:
        self.desk = Desk({currency: str(amount) for currency, amount in START.items()})
        for symbol, currency in SYMBOLS.items():
            self.desk.quotes.list(instrument(symbol, currency))
            self.desk.quotes.set(symbol, "1")
            self.desk.quotes.set(f"{currency}/USD", "1")
        for symbol in SYMBOLS:
            for side in Side:
                self.desk.place(terms(f"{symbol} {side.value}", side, 10_000, 1, symbol=symbol))
        self.made = 0
        self.counting: list[Fill] = []

    def take(self, step: Traded | Busted | Corrected | Restarted) -> None:
        match step:
            case Traded():
                details = {"fee": step.fee, "fee_currency": step.fee_currency}
                order = f"{step.symbol} {step.side.value}"
                self.desk.trade(self._next_id(), step.quantity, step.price, order, **details)
                self.counting.append(self._newest())
            case Busted() if self.counting:
                fill = self.counting.pop(step.which % len(self.counting))
                self.desk.report(ExecType.TRADE_CANCEL, fill.client_order_id, reference_id=fill.execution_id)
            case Corrected() if self.counting:
                at = step.which % len(self.counting)
                fill = self.counting[at]
                details = {"quantity": Decimal(step.quantity), "price": step.price, "execution_id": self._next_id()}
                self.desk.report(
                    ExecType.TRADE_CORRECT, fill.client_order_id, reference_id=fill.execution_id, **details
                )
                self.counting[at] = self._newest()
            case Restarted():
                self.desk.restart()

    def _next_id(self) -> str:
        self.made += 1
        return f"execution {self.made}"

    def _newest(self) -> Fill:
        return self.desk.records.fills[f"execution {self.made}"]


def after(steps: Sequence[Traded | Busted | Corrected | Restarted]) -> Trader:
    trader = Trader()
    for step in steps:
        trader.take(step)
    return trader


@given(st.lists(STEPS, max_size=25))
def test_cash_and_positions_are_what_the_fills_that_count_make(steps: list[Traded]) -> None:
    trader = after(steps)
    expected = worked_out(trader.counting)
    for symbol, position in trader.desk.book.portfolio.positions.items():
        assert agrees(position, expected[symbol]) if symbol in expected else not position.quantity
    assert expected.keys() <= trader.desk.book.portfolio.positions.keys()
    cash = {currency: amount for currency, amount in trader.desk.book.portfolio.cash.items() if amount}
    assert cash == cash_after(START, trader.counting)


@given(st.lists(STEPS, max_size=25), PRICES)
def test_realised_and_unrealised_profit_add_up_to_what_was_paid_and_what_is_held(
    steps: list[Traded], mark: Decimal
) -> None:
    trader = after(steps)
    for symbol, position in trader.desk.book.portfolio.positions.items():
        fills = [fill for fill in trader.counting if fill.symbol == symbol]
        paid = sum((fill.side.sign * fill.quantity * fill.price for fill in fills), Decimal(0))
        profit = position.realized_pnl + position.unrealized_pnl(mark)
        assert abs(Fraction(profit) - Fraction(position.quantity * mark - paid)) < Fraction(1, 10**12)


@given(st.lists(STEPS, max_size=25))
def test_what_is_stored_is_what_is_in_memory(steps: list[Traded]) -> None:
    trader = after(steps)
    desk = trader.desk
    assert desk.records.positions == desk.book.portfolio.positions
    assert {c: a for c, a in desk.records.cash.items() if a} == {c: a for c, a in desk.book.portfolio.cash.items() if a}


@given(st.lists(STEPS, max_size=25))
def test_an_orders_totals_are_those_of_its_fills_that_count(steps: list[Traded]) -> None:
    trader = after(steps)
    for order in trader.desk.book.orders.values():
        fills = [fill for fill in trader.counting if fill.order_id == order.order_id]
        assert order.filled_quantity == sum(fill.quantity for fill in fills)
        assert order.filled_notional == sum(fill.quantity * fill.price for fill in fills)


def test_a_correction_keeps_its_place_among_the_trades_also_when_it_is_read_back() -> None:
    """In place the average of 10 at 102 and 10 at 120 is realised; at the end, the second buy alone would be."""
    trader = after(
        [
            Traded("ACME", Side.BUY, 10, Decimal(100), Decimal(0), "USD"),
            Traded("ACME", Side.BUY, 10, Decimal(120), Decimal(0), "USD"),
            Traded("ACME", Side.SELL, 10, Decimal(130), Decimal(0), "USD"),
            Traded("ACME", Side.SELL, 1, Decimal(130), Decimal(0), "USD"),
            Corrected(0, 10, Decimal(102)),
            Restarted(),
            Busted(3),
        ]
    )
    position = trader.desk.book.portfolio.positions["ACME"]
    assert (position.average_price, position.realized_pnl) == (Decimal(111), Decimal(190))


def test_a_correction_that_says_nothing_of_the_fee_keeps_it_with_its_currency_and_time() -> None:
    desk = Desk()
    desk.place(quantity=10)
    desk.trade("a", 10, 50, fee=Decimal("0.001"), fee_currency="BTC")
    booked = desk.records.fills["a"]
    desk.clock.advance(60)
    desk.report(ExecType.TRADE_CORRECT, execution_id="b", reference_id="a", quantity=Decimal(9), price=Decimal(49))
    corrected = desk.records.fills["b"]
    assert (corrected.fee, corrected.fee_currency) == (Decimal("0.001"), "BTC")
    assert corrected.fill_time == booked.fill_time
    assert desk.book.portfolio.cash["BTC"] == Decimal("-0.001")


def test_an_orders_fees_are_never_a_sum_over_currencies() -> None:
    desk = Desk()
    desk.place(quantity=10)
    desk.trade("a", 4, 50, fee=Decimal(2), fee_currency="USD")
    desk.trade("b", 4, 50, fee=Decimal("0.001"), fee_currency="BTC")
    assert (desk.order().fees, desk.order().fee_currency) == (Decimal(2), "USD")
    desk.report(ExecType.TRADE_CANCEL, reference_id="b")
    assert desk.order().fees == Decimal(2)
