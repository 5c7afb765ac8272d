"""The holidays of stock exchanges by rule; of those in the United States also early and unscheduled closes."""

from collections.abc import Callable, Iterable
from datetime import date, time, timedelta

_LAST_YEAR = 2050
_MONDAY, _WEDNESDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 2, 3, 4, 5, 6

Rule = Callable[[int], date | None]


def easter(year: int) -> date:
    """Easter Sunday of the western church: the anonymous Gregorian algorithm (Meeus 1991)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def _from_easter(days: int) -> Rule:
    return lambda year: easter(year) + timedelta(days=days)


def _since(first: int, rule: Rule) -> Rule:
    return lambda year: rule(year) if year >= first else None


def _nth(month: int, weekday: int, number: int) -> Callable[[int], date]:
    def rule(year: int) -> date:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))

    return rule


def _last_monday(month: int) -> Rule:
    def rule(year: int) -> date:
        last = date(year, month, 31)
        return last - timedelta(days=last.weekday())

    return rule


def _fixed(month: int, day: int) -> Rule:
    return lambda year: date(year, month, day)


def _american(month: int, day: int) -> Rule:
    """A Sunday's holiday is kept on Monday, a Saturday's on Friday unless that is in the year before."""

    def rule(year: int) -> date | None:
        on = date(year, month, day)
        shift = {_SATURDAY: -1, _SUNDAY: 1}.get(on.weekday(), 0)
        kept = on + timedelta(days=shift)
        return kept if kept.year == year else None

    return rule


def _british(month: int, day: int) -> Rule:
    """At the weekend it is made good two days later, which keeps Christmas and Boxing Day apart."""

    def rule(year: int) -> date:
        on = date(year, month, day)
        return on + timedelta(days=2) if on.weekday() in (_SATURDAY, _SUNDAY) else on

    return rule


def _british_new_year(year: int) -> date:
    first = date(year, 1, 1)
    return first + timedelta(days={_SATURDAY: 2, _SUNDAY: 1}.get(first.weekday(), 0))


def _day_after_thanksgiving(year: int) -> date:
    return _nth(11, _THURSDAY, 4)(year) + timedelta(days=1)


def _around_independence_day(year: int) -> date | None:
    """The workday before a holiday on Tuesday to Friday; until 2012 the Friday after a Thursday instead."""
    eve = date(year, 7, 3)
    if eve.weekday() == _WEDNESDAY and year < 2013:
        return date(year, 7, 5)
    return eve if eve.weekday() < _FRIDAY else None


def _christmas_eve(year: int) -> date | None:
    eve = date(year, 12, 24)
    return eve if eve.weekday() < _FRIDAY else None


def _every_year(rules: Iterable[Rule], since: int = 2000) -> frozenset[date]:
    days = (rule(year) for rule in rules for year in range(since, _LAST_YEAR + 1))
    return frozenset(day for day in days if day is not None)


_GOOD_FRIDAY = _from_easter(-2)
_EASTER_MONDAY = _from_easter(1)
_CONTINENTAL = (_fixed(1, 1), _GOOD_FRIDAY, _EASTER_MONDAY, _fixed(5, 1), _fixed(12, 25), _fixed(12, 26))

UNITED_STATES = _every_year(
    (
        _american(1, 1),
        _since(1998, _nth(1, _MONDAY, 3)),
        _nth(2, _MONDAY, 3),
        _GOOD_FRIDAY,
        _last_monday(5),
        _since(2022, _american(6, 19)),
        _american(7, 4),
        _nth(9, _MONDAY, 1),
        _nth(11, _THURSDAY, 4),
        _american(12, 25),
    ),
    since=1971,
)
UNITED_STATES_UNSCHEDULED = frozenset(
    map(
        date.fromisoformat,
        (
            *("1972-11-07", "1976-11-02", "1980-11-04"),  # presidential elections
            *(
                "1972-12-28",
                "1973-01-25",
                "1994-04-27",
                "2004-06-11",
                "2007-01-02",
                "2018-12-05",
                "2025-01-09",
            ),  # mourning
            *("1977-07-14", "1985-09-27", "2012-10-29", "2012-10-30"),  # a blackout and two hurricanes
            *("2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14"),
        ),
    )
)
_ONE_O_CLOCK = time(13)
UNITED_STATES_EARLY_CLOSES = frozenset(
    (day, _ONE_O_CLOCK)
    for day in (
        *_every_year((_day_after_thanksgiving, _around_independence_day, _christmas_eve), since=1995),
        *map(date.fromisoformat, ("1997-12-26", "1999-12-31", "2003-12-26")),
    )
)
EURONEXT = _every_year(_CONTINENTAL)
XETRA = _every_year((*_CONTINENTAL, _fixed(12, 24), _fixed(12, 31)))
LONDON = _every_year(
    (
        _british_new_year,
        _GOOD_FRIDAY,
        _EASTER_MONDAY,
        _nth(5, _MONDAY, 1),
        _last_monday(5),
        _last_monday(8),
        _british(12, 25),
        _british(12, 26),
    )
)
