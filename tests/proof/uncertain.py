"""What somebody is changing from outside: known before the request and after the answer, and in between either."""

from collections.abc import Iterable
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Asked(NamedTuple, Generic[T]):
    """A change under way."""

    number: int
    value: T


class Uncertain(Generic[T]):
    """The values that something may have, and may have had at any time.

    Changes are made in the order they are asked for. An answer settles all that was asked for before it; one that never
    comes leaves all of them possible.
    """

    def __init__(self, start: datetime, value: T) -> None:
        self._asked = [Asked(0, value)]
        self._history: list[tuple[datetime, tuple[T, ...]]] = [(start, (value,))]

    @property
    def now(self) -> tuple[T, ...]:
        """What is possible now, in the order in which it was asked for."""
        return tuple(one.value for one in self._asked)

    def at(self, time: datetime) -> set[T]:
        """What was possible at some moment of that time."""
        before = [values for when, values in self._history if when < time]
        during = [values for when, values in self._history if when == time]
        return {value for values in (*before[-1:], *during) for value in values}

    def ask(self, time: datetime, value: T) -> Asked[T]:
        asked = Asked(self._asked[-1].number + 1, value)
        self._keep(time, [*self._asked, asked])
        return asked

    def answer(self, time: datetime, asked: Asked[T]) -> None:
        """It was made. The answer may come later than that to one that was asked for after it."""
        if asked.number < self._asked[0].number:
            return
        self._keep(time, [asked, *(one for one in self._asked if one.number > asked.number)])

    def refuse(self, time: datetime, asked: Asked[T]) -> None:
        """It was not made, and never will be."""
        self._keep(time, [one for one in self._asked if one is not asked] or [asked])

    def settle(self, time: datetime, value: T) -> None:
        """Nothing is under way any more, and this came of it."""
        self._keep(time, [Asked(self._asked[-1].number + 1, value)])

    def _keep(self, time: datetime, asked: Iterable[Asked[T]]) -> None:
        self._asked = list(asked)
        self._history.append((time, self.now))
