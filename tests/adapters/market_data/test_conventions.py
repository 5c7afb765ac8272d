from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters.market_data.conventions import (
    CRYPTO_HOURS,
    FOREX_HOURS,
    US_EQUITY_HOURS,
    crypto_pair,
    currency_pair,
    us_equity,
)
from domain.market_data.instrument import NO_MAXIMUM, AssetClass


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2026-11-25", "14:30", "21:00"),
        ("2026-11-27", "14:30", "18:00"),
        ("2026-12-24", "14:30", "18:00"),
        ("2026-07-02", "13:30", "20:00"),
        ("2025-07-03", "13:30", "17:00"),
        ("2002-07-03", "13:30", "20:00"),
        ("2002-07-05", "13:30", "17:00"),
    ],
)
def test_new_york_keeps_its_hours_and_closes_early_around_holidays(day: str, opens: str, closes: str) -> None:
    session = US_EQUITY_HOURS.next_session(at(day))
    assert (session.open, session.close) == (at(f"{day} {opens}"), at(f"{day} {closes}"))


@pytest.mark.parametrize("day", ["2026-11-26", "2025-01-09", "2012-10-29", "2001-09-12", "1998-01-19"])
def test_new_york_is_closed_on_holidays_and_was_on_days_that_nobody_had_foreseen(day: str) -> None:
    assert US_EQUITY_HOURS.session_at(at(f"{day} 16:00")) is None


def test_before_it_was_a_holiday_a_day_was_traded() -> None:
    assert US_EQUITY_HOURS.session_at(at("1997-01-20 16:00")) is not None
    assert US_EQUITY_HOURS.session_at(at("2021-06-18 16:00")) is not None


def test_new_york_trades_from_four_to_eight_around_its_session() -> None:
    extended = US_EQUITY_HOURS.extended().next_session(at("2026-11-25 08:00"))
    assert (extended.open, extended.close) == (at("2026-11-25 09:00"), at("2026-11-26 01:00"))


def test_a_share_is_in_cents_and_whole_unless_its_source_says_more() -> None:
    share = us_equity("AAPL", "Apple Inc.", "XNAS", sector="Technology")
    assert (share.symbol, share.name, share.venue, share.sector) == ("AAPL", "Apple Inc.", "XNAS", "Technology")
    assert (share.asset_class, share.currency, share.base_currency) == (AssetClass.EQUITY, "USD", None)
    assert (share.tick_size, share.lot_size, share.min_quantity) == (Decimal("0.01"), Decimal(1), Decimal(1))
    assert (share.max_quantity, share.hours, share.shortable) == (NO_MAXIMUM, US_EQUITY_HOURS, False)
    fund = us_equity("SPY", asset_class=AssetClass.ETF, lot_size=Decimal("0.001"), shortable=True)
    assert (fund.name, fund.asset_class, fund.min_quantity, fund.shortable) == (
        "SPY",
        AssetClass.ETF,
        Decimal("0.001"),
        True,
    )


@pytest.mark.parametrize(("symbol", "tick"), [("EUR/USD", "0.00001"), ("USD/JPY", "0.001")])
def test_currencies_have_tenths_of_a_pip(symbol: str, tick: str) -> None:
    pair = currency_pair(symbol, provider_symbol="C:X")
    assert (pair.asset_class, pair.tick_size, pair.hours) == (AssetClass.CURRENCY, Decimal(tick), FOREX_HOURS)
    assert f"{pair.base_currency}/{pair.currency}" == symbol
    assert pair.provider_symbol == "C:X"


def test_coins_trade_around_the_clock_to_the_eighth_decimal() -> None:
    pair = crypto_pair("BTC/USDT", venue="binance")
    assert (pair.base_currency, pair.currency, pair.venue, pair.hours) == ("BTC", "USDT", "binance", CRYPTO_HOURS)
    assert pair.tick_size == pair.lot_size == pair.min_quantity == Decimal("0.00000001")
    assert crypto_pair("BTC/USDT", tick_size=Decimal("0.01")).tick_size == Decimal("0.01")


@pytest.mark.parametrize("symbol", ["BTCUSDT", "/USD", "EUR/"])
def test_what_is_no_pair_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="symbol: a pair"):
        crypto_pair(symbol)
