from datetime import date

import pytest

from adapters.market_data import exchange_holidays as holidays


def days_of(year: int, calendar: frozenset[date]) -> list[str]:
    return sorted(f"{day:%m-%d}" for day in calendar if day.year == year)


@pytest.mark.parametrize(("year", "day"), [(2000, "04-23"), (2008, "03-23"), (2024, "03-31"), (2038, "04-25")])
def test_easter_is_when_the_church_says(year: int, day: str) -> None:
    assert f"{holidays.easter(year):%m-%d}" == day


@pytest.mark.parametrize(
    ("year", "days"),
    [
        pytest.param(
            2021, "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24", id="before Juneteenth, Christmas on Saturday"
        ),
        pytest.param(
            2022,
            "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
            id="New Year's Day on Saturday is not made good",
        ),
        pytest.param(2025, "01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25", id="no weekend in the way"),
    ],
)
def test_american_exchanges_close_on_the_days_that_they_announced(year: int, days: str) -> None:
    assert days_of(year, holidays.UNITED_STATES) == days.split()


@pytest.mark.parametrize(
    ("year", "days"),
    [
        pytest.param(2021, "01-01 04-02 04-05 05-03 05-31 08-30 12-27 12-28", id="Christmas on Saturday"),
        pytest.param(2023, "01-02 04-07 04-10 05-01 05-29 08-28 12-25 12-26", id="New Year's Day on Sunday"),
    ],
)
def test_london_makes_good_what_falls_on_a_weekend(year: int, days: str) -> None:
    assert days_of(year, holidays.LONDON) == days.split()


def test_the_continent_closes_for_easter_may_day_and_christmas_and_frankfurt_also_on_the_eves() -> None:
    assert days_of(2025, holidays.EURONEXT) == ["01-01", "04-18", "04-21", "05-01", "12-25", "12-26"]
    assert days_of(2025, holidays.XETRA) == ["01-01", "04-18", "04-21", "05-01", "12-24", "12-25", "12-26", "12-31"]


@pytest.mark.parametrize(
    ("year", "days"),
    [
        pytest.param(2002, "07-05 11-29 12-24", id="Independence Day on Thursday, by the old rule"),
        pytest.param(2013, "07-03 11-29 12-24", id="Independence Day on Thursday, by the new one"),
        pytest.param(2020, "11-27 12-24", id="Independence Day on Saturday"),
        pytest.param(2021, "11-26", id="Christmas on Saturday, Independence Day on Sunday"),
        pytest.param(2022, "11-25", id="Christmas on Sunday, Independence Day on Monday"),
        pytest.param(2023, "07-03 11-24", id="Christmas on Monday, Independence Day on Tuesday"),
        pytest.param(2025, "07-03 11-28 12-24", id="no weekend in the way"),
    ],
)
def test_american_exchanges_close_early_on_the_days_that_they_announced(year: int, days: str) -> None:
    assert days_of(year, frozenset(day for day, _ in holidays.UNITED_STATES_EARLY_CLOSES)) == days.split()


def test_no_day_both_closes_early_and_is_a_holiday() -> None:
    closed = holidays.UNITED_STATES | holidays.UNITED_STATES_UNSCHEDULED
    assert not closed & {day for day, _ in holidays.UNITED_STATES_EARLY_CLOSES}
