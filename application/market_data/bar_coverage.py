"""What can be kept of an answer, and what is missing between what is kept."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from zoneinfo import ZoneInfo

from application.market_data.source import Source
from application.ports.bar_store import SeriesKey, Span, Stretch
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment

SETTLING = timedelta(minutes=15)
"""Late prints and corrections change a bar that has just ended: it is not kept before so much time has passed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
# No bar is longer, whatever the clocks on the wall do in it.
_LONGEST = {
    BarInterval.DAY_1: timedelta(days=2),
    BarInterval.WEEK_1: timedelta(days=8),
    BarInterval.MONTH_1: timedelta(days=32),
}
_MOST_HOLES = 3
_open_time = attrgetter("open_time")


def series_key(source: Source, request: BarRequest, now: datetime) -> SeriesKey:
    """The series that the provider's answer of `now` belongs to."""
    vintage = ""
    if request.adjustment is not PriceAdjustment.RAW:
        vintage = now.astimezone(ZoneInfo(source.instrument.hours.time_zone)).date().isoformat()
    provider, extended = source.provider, request.extended_hours and request.interval.fixed_length is not None
    return SeriesKey(
        provider.name, provider.revision, source.symbol, request.interval, request.adjustment, extended, vintage
    )


# -- what is missing ---------------------------------------------------------------------------------------


def pieces(request: BarRequest, kept: Sequence[Stretch]) -> list[Stretch | Span]:
    """The request's range, oldest first, as what is kept and the holes between.

    Many holes become one, over what is kept between them: it is cheaper to fetch that again than to ask as often.
    """
    enough = sum(len(stretch.bars) for stretch in kept) >= request.limit
    end = kept[-1].end if enough and kept else request.end
    found = list(_pieces(request.start, end, kept))
    holes = [place for place, piece in enumerate(found) if isinstance(piece, Span)]
    if len(holes) > _MOST_HOLES:
        first, last = holes[0], holes[-1]
        found[first : last + 1] = [Span(found[first].start, found[last].end)]
    return found


def _pieces(start: datetime, end: datetime, kept: Sequence[Stretch]) -> Iterator[Stretch | Span]:
    for stretch in kept:
        if stretch.start > start:
            yield Span(start, stretch.start)
        yield stretch
        start = stretch.end
    if start < end:
        yield Span(start, end)


def first_hole(span: Span, settled: Sequence[Span]) -> Span | None:
    """The oldest part of `span` that is not settled."""
    start, end = span
    for known in settled:
        if known.start > start:
            end = known.start
            break
        start = max(start, known.end)
    return Span(start, end) if start < end else None


def askable(source: Source, request: BarRequest, hole: Span, now: datetime) -> Span | None:
    """The part of `hole` that the provider may have: it lies in its history, and not in the future.

    Bounds that move with `now` move in steps, so that those who ask at the same time ask for the same.
    """
    start, end = hole
    reach = source.capabilities.bars.get(request.interval)
    if reach is not None:
        start = max(start, _EPOCH + ((now - reach - _EPOCH) // _MINUTE + 1) * _MINUTE)
    if start >= end or start > now:
        return None
    if end > now - _longest(request.interval):
        step = request.interval.fixed_length or _DAY
        end = _EPOCH + ((max(end, now) - _EPOCH) // step + 1) * step
    return Span(start, end)


# -- what is settled ---------------------------------------------------------------------------------------


def answered_until(request: BarRequest, fetched: FetchedBars) -> datetime:
    """Up to where `fetched` has all there is: the request's end unless its limit came first."""
    if len(fetched.bars) < request.limit:
        return request.end
    return min(request.end, fetched.bars[-1].close_time)


def settled_stretches(source: Source, request: BarRequest, fetched: FetchedBars, now: datetime) -> list[Stretch]:
    """What of an answer of `now` will not change: all but what runs, has just ended, or was invalid."""
    spans = [Span(request.start, _settled_until(source, request, fetched, now))]
    for invalid in fetched.invalid:
        spans = [part for span in spans for part in _without(span, *invalid)]
    return [stretch(span.start, span.end, fetched.bars) for span in spans if span.start < span.end]


def _without(span: Span, start: datetime, end: datetime) -> tuple[Span, Span]:
    return Span(span.start, min(span.end, start)), Span(max(span.start, end), span.end)


def stretch(start: datetime, end: datetime, bars: Sequence[Bar]) -> Stretch:
    """[start, end) with those of `bars` that open in it."""
    first, last = bisect_left(bars, start, key=_open_time), bisect_left(bars, end, key=_open_time)
    return Stretch(start, end, bars[first:last])


def before(end: datetime, bars: Sequence[Bar]) -> Sequence[Bar]:
    """Those of `bars` that open before `end`."""
    return bars[: bisect_left(bars, end, key=_open_time)]


def _settled_until(source: Source, request: BarRequest, fetched: FetchedBars, now: datetime) -> datetime:
    """Every bar that opens before it has long ended."""
    over = now - SETTLING - (source.capabilities.delay or timedelta(0))
    until = over - _longest(request.interval)
    for bar in reversed(fetched.bars):
        if not bar.partial and bar.close_time <= over:
            until = max(until, bar.close_time)
            break
    return min(answered_until(request, fetched), _next_open(source, request, until))


def _next_open(source: Source, request: BarRequest, until: datetime) -> datetime:
    """`until`, or the open of the next session where the market is closed then."""
    hours = source.instrument.hours
    if request.extended_hours and request.interval.fixed_length is not None:
        hours = hours.extended()
    try:
        return max(until, hours.next_session(until).open)
    except ValueError:
        return until


def _longest(interval: BarInterval) -> timedelta:
    return interval.fixed_length or _LONGEST[interval]
