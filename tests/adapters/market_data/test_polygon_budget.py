"""The requests that a plan allows."""

import pytest

from adapters.market_data.polygon_budget import RequestBudget
from domain.errors import Throttled


class Seconds:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def wait_of(budget: RequestBudget) -> float:
    with pytest.raises(Throttled) as refused:
        budget.spend()
    assert refused.value.reason == "RATE_LIMITED"
    return refused.value.retry_after_seconds


def test_the_request_over_the_limit_is_told_when_the_oldest_is_a_minute_ago() -> None:
    seconds = Seconds()
    budget = RequestBudget("polygon", 2, seconds)
    budget.spend()
    seconds.now += 20
    budget.spend()

    assert wait_of(budget) == pytest.approx(40)
    seconds.now += 40
    budget.spend()
    assert wait_of(budget) == pytest.approx(20)


def test_a_refused_request_is_not_counted() -> None:
    seconds = Seconds()
    budget = RequestBudget("polygon", 1, seconds)
    budget.spend()

    assert [wait_of(budget) for _ in range(3)] == [60, 60, 60]
    seconds.now += 60
    budget.spend()


def test_without_a_limit_only_the_vendor_can_ask_for_a_pause() -> None:
    seconds = Seconds()
    budget = RequestBudget("polygon", 0, seconds)
    for _ in range(1_000):
        budget.spend()
    budget.pause(7)
    budget.pause(3)

    assert wait_of(budget) == 7
    seconds.now += 7
    budget.spend()
