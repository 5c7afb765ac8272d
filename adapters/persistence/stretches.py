"""How new stretches of bars take their place among those that are kept."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter

from application.ports.bar_store import Span, Stretch

_open_time = attrgetter("open_time")


def cut(stretch: Stretch, start: datetime, end: datetime) -> Stretch:
    """The part of `stretch` within [start, end); itself when that is all of it."""
    if start <= stretch.start and stretch.end <= end:
        return stretch
    start, end, bars = max(start, stretch.start), min(end, stretch.end), stretch.bars
    first, last = bisect_left(bars, start, key=_open_time), bisect_left(bars, end, key=_open_time)
    return Stretch(start, end, bars[first:last])


def within(stretches: Iterable[Stretch], start: datetime, end: datetime) -> Iterator[Stretch]:
    """The parts of `stretches` within [start, end)."""
    return (cut(one, start, end) for one in stretches if one.start < end and one.end > start)


def joined(spans: Iterable[Span]) -> list[Span]:
    """`spans`, oldest first, with those that touch as one."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].end == span.start:
            found[-1] = Span(found[-1].start, span.end)
        else:
            found.append(span)
    return found


def woven(kept: Sequence[Stretch], new: Sequence[Stretch], most_bars: int) -> list[Stretch]:
    """`new` in place of what was kept of their spans, oldest first, none with more than `most_bars` bars.

    Neighbours that fit into one become one. What nothing happens to is the same object as before.
    """
    parts = [part for old in kept for part in _outside(old, new)] + list(new)
    found: list[Stretch] = []
    for part in sorted(parts, key=lambda one: one.start):
        last = found[-1] if found else None
        if last is not None and last.end == part.start and len(last.bars) + len(part.bars) <= most_bars:
            found[-1] = Stretch(last.start, part.end, [*last.bars, *part.bars])
        else:
            found += _split(part, most_bars)
    return found


def _outside(kept: Stretch, new: Sequence[Stretch]) -> Iterator[Stretch]:
    """What is left of `kept` beside all of `new`, which are in order."""
    start = kept.start
    for one in new:
        if one.start < kept.end and one.end > start:
            if one.start > start:
                yield cut(kept, start, one.start)
            start = one.end
    if start < kept.end:
        yield cut(kept, start, kept.end)


def _split(stretch: Stretch, most_bars: int) -> list[Stretch]:
    if len(stretch.bars) <= most_bars:
        return [stretch]
    firsts = range(0, len(stretch.bars), most_bars)
    starts = [stretch.start, *(stretch.bars[first].open_time for first in firsts[1:])]
    ends = [*starts[1:], stretch.end]
    return [
        Stretch(start, end, stretch.bars[first : first + most_bars])
        for start, end, first in zip(starts, ends, firsts, strict=True)
    ]
