from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from adapters.brokers.paper_ladder import withdraw
from adapters.brokers.paper_order import PaperOrder
from adapters.brokers.paper_trail import Trail
from domain.trading.value_objects.order_type import OrderType, Side
from tests.adapters.brokers.paper_desk import Desk

_DESK = Desk()


def trailing(side: Side, distance: int, percent: bool) -> PaperOrder:
    terms = {"trail_percent" if percent else "trail_offset": str(distance)}
    return PaperOrder(_DESK.order(side=side, type=OrderType.TRAILING_STOP, **terms), "B")


class OneByOne:
    """The rule itself, order by order: the stop follows the best price since the order came."""

    def __init__(self, side: Side, distance: int, percent: bool) -> None:
        self.sign, self.distance, self.percent = side.sign, Decimal(distance), percent
        self.best: Decimal | None = None

    def stop_after(self, price: Decimal) -> Decimal:
        if self.best is None or self.sign * price < self.sign * self.best:
            self.best = price
        return self.best + self.sign * (self.best * self.distance / 100 if self.percent else self.distance)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.integers(80, 120)),
        st.tuples(st.just("order"), st.integers(1, 15), st.booleans()),
        st.tuples(st.just("leave"), st.integers(0, 30)),
    ),
    max_size=60,
)


@given(st.sampled_from(Side), STEPS)
def test_stops_that_share_an_anchor_behave_like_stops_that_trail_one_by_one(
    side: Side, steps: list[tuple[str, int] | tuple[str, int, bool]]
) -> None:
    trail = Trail()
    alone: dict[PaperOrder, OneByOne] = {}
    for step in steps:
        if step[0] == "order":
            percent = bool(step[2:] and step[-1])
            order = trailing(side, step[1], percent)
            alone[order] = OneByOne(side, step[1], percent)
            trail.add(order)
        elif step[0] == "leave" and alone:
            order = list(alone)[step[1] % len(alone)]
            withdraw(order)
            del alone[order]
        elif step[0] == "price":
            price = Decimal(step[1])
            triggered = {order: side.sign * stop for order, stop in trail.move(side.sign * price)}
            stops = {order: rule.stop_after(price) for order, rule in alone.items()}
            expected = {o: stop for o, stop in stops.items() if side.sign * (price - stop) >= 0}
            assert triggered == expected
            for order in expected:
                del alone[order]
        assert len(trail) == len(alone)


@given(st.sampled_from(Side), STEPS)
def test_whatever_moves_a_stop_is_told_of_it_and_nothing_that_was_told_has_moved_since(
    side: Side, steps: list[tuple[str, int] | tuple[str, int, bool]]
) -> None:
    trail = Trail()
    alone: dict[PaperOrder, OneByOne] = {}
    told: dict[PaperOrder, Decimal] = {}
    for step in steps:
        if step[0] == "order":
            percent = bool(step[2:] and step[-1])
            order = trailing(side, step[1], percent)
            alone[order] = OneByOne(side, step[1], percent)
            trail.add(order)
        elif step[0] == "price":
            price = Decimal(step[1])
            for order, _ in trail.move(side.sign * price):
                del alone[order]
            stops = {order: rule.stop_after(price) for order, rule in alone.items()}
            if price % 2:  # now and then they are asked
                told |= {order: side.sign * stop for order, stop in trail.take_moved()}
                assert {order: told[order] for order in alone} == stops
                assert not trail.moved


def test_a_stop_that_has_moved_is_told_of_though_the_market_has_stood_still_since() -> None:
    trail = Trail()
    order = trailing(Side.BUY, 5, percent=False)
    trail.add(order)
    for price in (90, 90, 91):
        assert list(trail.move(Decimal(price))) == []
    assert list(trail.take_moved()) == [(order, Decimal(95))]
    assert list(trail.take_moved()) == []


@given(st.sampled_from(Side), st.decimals(1, 200, places=2), st.integers(1, 99))
def test_a_stop_by_percentage_that_goes_on_from_where_it_stood_is_not_loosened_by_rounding(
    side: Side, stop: Decimal, percent: int
) -> None:
    trail = Trail()
    order = trailing(side, percent, percent=True)
    trail.add_with_stop(order, side.sign * stop)
    assert [order for order, _ in trail.move(side.sign * stop)] == [order]


def test_a_stop_that_stood_somewhere_goes_on_from_there() -> None:
    trail = Trail()
    by_offset = trailing(Side.SELL, 5, percent=False)
    by_percent = trailing(Side.SELL, 10, percent=True)
    trail.add_with_stop(by_offset, Decimal(-95))
    trail.add_with_stop(by_percent, Decimal(-90))
    assert dict(trail.move(Decimal(-96))) == {}
    assert dict(trail.move(Decimal(-95))) == {by_offset: Decimal(-95)}
    assert dict(trail.move(Decimal(-90))) == {by_percent: Decimal(-90)}
