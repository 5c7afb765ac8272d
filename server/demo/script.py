"""What the demo does, step by step: one trader's morning, at whatever prices the market shows.

A step is a function that is named as it is shown. It gets the desk and the prices of the moment.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from quantmesh.trading.v1.order_placement_pb2 import BracketGroup, OcoGroup
from quantmesh.type.v1.time_in_force_pb2 import (
    TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTC,
    TIME_IN_FORCE_GTD,
    TIME_IN_FORCE_IOC,
)
from server.demo.desk import Desk
from server.demo.orders import at, buy, in_seconds, sell, stop_at, trailing
from server.demo.prices import Prices

Step = Callable[[Desk, Prices], Awaitable[None]]

SYMBOLS: Final = (
    *("AAPL", "MSFT", "AMZN", "META", "TSLA", "NVDA", "GOOGL", "DIS", "KO", "PFE", "JPM", "XOM", "NEE"),
    *("ALV", "AIR", "AZN"),
    *("BTC/USD", "ETH/USD", "SOL/USD", "LTC/USD", "ADA/USD", "XRP/USD", "DOGE/USD"),
)


def market_order(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(buy("aapl", "AAPL", now.worth("AAPL", 17_000)))


def same_request_again(desk: Desk, _: Prices) -> Awaitable[None]:
    return desk.repeat("aapl")


def immediate_or_cancel(desk: Desk, now: Prices) -> Awaitable[None]:
    symbol = now.thinnest("NEE", "LTC/USD", "ADA/USD")
    terms = {"limit": at(now.ask(symbol)), "time_in_force": TIME_IN_FORCE_IOC}
    return desk.place(buy("ioc", symbol, now.more_than_shown(symbol), **terms))


def large_at_the_touch(desk: Desk, now: Prices) -> Awaitable[None]:
    symbol = now.thinnest("SOL/USD", "XRP/USD", "DOGE/USD")
    return desk.place(buy("large", symbol, now.worth(symbol, 45_000), limit=at(now.ask(symbol))))


def limit_that_crosses(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(buy("msft", "MSFT", now.worth("MSFT", 16_000), limit=at(now.near("MSFT", 5))))


def limit_that_rests(desk: Desk, now: Prices) -> Awaitable[None]:
    terms = {"limit": at(now.near("AMZN", -20)), "time_in_force": TIME_IN_FORCE_GTC}
    return desk.place(buy("amzn", "AMZN", now.worth("AMZN", 9_000), **terms))


def good_till_date(desk: Desk, now: Prices) -> Awaitable[None]:
    terms = {"limit": at(now.near("PFE", -30)), "time_in_force": TIME_IN_FORCE_GTD, "expire_time": in_seconds(3)}
    return desk.place(buy("pfe", "PFE", now.worth("PFE", 3_000), **terms))


def post_only(desk: Desk, now: Prices) -> Awaitable[None]:
    terms = {"limit": at(now.near("DIS", -15)), "post_only": True}
    return desk.place(buy("dis", "DIS", now.worth("DIS", 5_000), **terms))


def fraction_of_a_coin(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(buy("btc", "BTC/USD", now.worth("BTC/USD", 6_000)))


def fill_or_kill(desk: Desk, now: Prices) -> Awaitable[None]:
    terms = {"limit": at(now.bid("GOOGL")), "time_in_force": TIME_IN_FORCE_FOK}
    return desk.place(buy("fok", "GOOGL", now.worth("GOOGL", 6_000), **terms))


def short_sale(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(sell("tsla", "TSLA", now.worth("TSLA", 20_000), limit=at(now.near("TSLA", -5))))


def stop(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(sell("msft-stop", "MSFT", desk.sent["msft"].quantity, stop=stop_at(now.near("MSFT", -1))))


def trailing_stop(desk: Desk, now: Prices) -> Awaitable[None]:
    distance = trailing(now.distance("BTC/USD", 2))
    return desk.place(sell("btc-trail", "BTC/USD", desk.sent["btc"].quantity, trailing_stop=distance))


def bracket(desk: Desk, now: Prices) -> Awaitable[None]:
    quantity = now.worth("META", 9_000)
    entry = buy("meta", "META", quantity)
    profit = sell("meta-profit", "META", quantity, limit=at(now.near("META", 2)), reduce_only=True)
    loss = sell("meta-loss", "META", quantity, stop=stop_at(now.near("META", -2)), reduce_only=True)
    return desk.place_group(bracket=BracketGroup(entry=entry, take_profit=profit, stop_loss=loss))


def refused_by_the_risk_check(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place_refused(buy("nvda", "NVDA", now.worth("NVDA", 1_000_000)), rule="BUYING_POWER")


def large_in_euros(desk: Desk, now: Prices) -> Awaitable[None]:
    symbol = now.thinnest("ALV", "AIR")
    return desk.place(buy("large-eur", symbol, now.worth(symbol, 30_000), limit=at(now.near(symbol, 3))))


def stock_in_pounds(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(buy("azn", "AZN", now.worth("AZN", 6_000)))


def coin_to_sell_again(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(buy("eth", "ETH/USD", now.worth("ETH/USD", 7_000)))


def one_cancels_the_other(desk: Desk, now: Prices) -> Awaitable[None]:
    quantity = desk.sent["eth"].quantity
    higher = sell("eth-high", "ETH/USD", quantity, limit=at(now.near("ETH/USD", 3)))
    lower = sell("eth-low", "ETH/USD", quantity, stop=stop_at(now.near("ETH/USD", -3)))
    return desk.place_group(oco=OcoGroup(orders=[higher, lower]))


def four_orders_in_one_call(desk: Desk, now: Prices) -> Awaitable[None]:
    basket = {"GOOGL": 4_000, "JPM": 4_000, "XOM": 3_000, "KO": 3_000}
    return desk.place_all([buy(symbol.lower(), symbol, now.worth(symbol, cost)) for symbol, cost in basket.items()])


def replace_to_the_market(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.replace("amzn", quantity=now.worth("AMZN", 8_000), limit_price=now.near("AMZN", 5))


def cancel(desk: Desk, _: Prices) -> Awaitable[None]:
    return desk.cancel("dis")


def sale_at_market(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(sell("aapl-out", "AAPL", now.half("AAPL", desk.sent["aapl"].quantity)))


def cover_part_of_the_short(desk: Desk, now: Prices) -> Awaitable[None]:
    quantity = now.half("TSLA", desk.sent["tsla"].quantity)
    return desk.place(buy("tsla-cover", "TSLA", quantity, limit=at(now.near("TSLA", 5)), reduce_only=True))


def sale_in_pounds(desk: Desk, now: Prices) -> Awaitable[None]:
    return desk.place(sell("azn-out", "AZN", now.half("AZN", desk.sent["azn"].quantity)))


SCRIPT: Final[tuple[Step, ...]] = (
    market_order,
    same_request_again,
    immediate_or_cancel,
    large_at_the_touch,
    limit_that_crosses,
    limit_that_rests,
    good_till_date,
    post_only,
    fraction_of_a_coin,
    fill_or_kill,
    short_sale,
    stop,
    trailing_stop,
    bracket,
    refused_by_the_risk_check,
    large_in_euros,
    stock_in_pounds,
    coin_to_sell_again,
    one_cancels_the_other,
    four_orders_in_one_call,
    replace_to_the_market,
    cancel,
    sale_at_market,
    cover_part_of_the_short,
    sale_in_pounds,
)


def title_of(step: Step) -> str:
    return getattr(step, "__name__", "step").replace("_", " ")
