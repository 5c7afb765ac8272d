"""The scheduled full-day holidays of the venues in the simulated catalogue, by rule.

Unscheduled closures (storms, mourning) and shortened days are not part of it.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

_YEARS = range(2000, 2051)
_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6

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


def _nth(month: int, weekday: int, number: int) -> Rule:
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


def _american(month: int, day: int, since: int = 0) -> Rule:
    """A Sunday's holiday is kept on Monday, a Saturday's on Friday unless that is in the year before."""

    def rule(year: int) -> date | None:
        on = date(year, month, day)
        shift = {_SATURDAY: -1, _SUNDAY: 1}.get(on.weekday(), 0)
        kept = on + timedelta(days=shift)
        return kept if year >= since and kept.year == year else None

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


def _every_year(rules: Iterable[Rule]) -> frozenset[date]:
    days = (rule(year) for rule in rules for year in _YEARS)
    return frozenset(day for day in days if day is not None)


_GOOD_FRIDAY = _from_easter(-2)
_EASTER_MONDAY = _from_easter(1)
_CONTINENTAL = (_fixed(1, 1), _GOOD_FRIDAY, _EASTER_MONDAY, _fixed(5, 1), _fixed(12, 25), _fixed(12, 26))

UNITED_STATES = _every_year(
    (
        _american(1, 1),
        _nth(1, _MONDAY, 3),
        _nth(2, _MONDAY, 3),
        _GOOD_FRIDAY,
        _last_monday(5),
        _american(6, 19, since=2022),
        _american(7, 4),
        _nth(9, _MONDAY, 1),
        _nth(11, _THURSDAY, 4),
        _american(12, 25),
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
