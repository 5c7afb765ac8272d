"""What an account holds and is worth, and what cannot be said for lack of a price."""

from decimal import Decimal

from application.trading.queries.get_portfolio_query import CashView, GetPortfolio, PortfolioView
from domain.trading.value_objects.order_type import Side
from tests.support.trading import ACCOUNT, Desk, instrument, terms

D = Decimal


def portfolio(desk: Desk) -> PortfolioView:
    return desk.run(GetPortfolio(ACCOUNT, "user:test"))


def a_desk() -> Desk:
    """1,000 EUR besides 10,000 USD; bought 100 ACME at 50 and shorted 10 EURO at 20."""
    desk = Desk({"USD": 10_000, "EUR": 1_000})
    desk.quotes.list(instrument("EURO", "EUR"))
    desk.quotes.set("EURO", "20")
    desk.quotes.set("EUR/USD", "1.25")
    desk.place(terms("a", quantity=100, price=50))
    desk.trade("t", 100, 50, "a", fee=D(2), fee_currency="USD")
    desk.place(terms("b", Side.SELL, 10, 20, symbol="EURO"))
    desk.trade("u", 10, 20, "b", fee=D(1), fee_currency="EUR")
    return desk


def test_cash_positions_and_totals_are_shown_in_the_base_currency() -> None:
    desk = a_desk()
    desk.quotes.set("ACME", "55")
    desk.quotes.set("EURO", "18")
    view = portfolio(desk)
    assert {cash.currency: (cash.amount, cash.base_rate) for cash in view.cash} == {
        "EUR": (D(1_199), D("1.25")),
        "USD": (D(4_998), D(1)),
    }
    assert view.unrealized_pnl == 100 * 5 + 10 * 2 * D("1.25")
    assert (view.realized_pnl, view.fees) == (D(0), 2 + D("1.25"))
    assert view.margin is not None
    assert view.margin.equity == 4_998 + 1_199 * D("1.25") + 100 * 55 - 10 * 18 * D("1.25")
    assert view.missing == ()
    assert view.sequence == desk.records.sequence


def test_what_open_buys_may_cost_is_shown_as_reserved() -> None:
    desk = a_desk()
    desk.place(terms("c", quantity=10, price=40))
    assert portfolio(desk).cash[1] == CashView("USD", D(4_998), D(400), D(1))


def test_without_a_price_the_totals_that_need_it_are_missing_and_it_is_named() -> None:
    desk = a_desk()
    desk.quotes.remove("ACME")
    view = portfolio(desk)
    assert view.missing == ("ACME",)
    assert (view.margin, view.unrealized_pnl) == (None, None)
    assert view.realized_pnl == 0
    assert [valued.mark_price for valued in view.positions] == [None, D(20)]


def test_without_a_rate_no_total_is_guessed() -> None:
    desk = a_desk()
    desk.quotes.remove("EUR/USD")
    view = portfolio(desk)
    assert "EUR" in view.missing
    assert (view.margin, view.realized_pnl, view.unrealized_pnl, view.fees) == (None, None, None, None)
    assert [cash.base_rate for cash in view.cash] == [None, D(1)]


def test_looking_records_nothing() -> None:
    desk = a_desk()
    before = desk.records.sequence
    portfolio(desk)
    assert desk.records.sequence == before
