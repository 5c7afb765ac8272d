from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.replay_bars import Shaper, recorded_bars, source_of
from adapters.market_data.replay_folder import ReplayFolder
from adapters.market_data.replay_rows import BadFile
from application.ports.market_data import BarRequest, FetchedBars
from domain.errors import PreconditionFailed
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_calendar import Span
from domain.market_data.bar_shaping import RawBar, Shape, shape
from domain.market_data.trading_hours import ALWAYS_OPEN
from tests.support.recordings import Table, write, write_text

OPENS = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EARLY, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
FORMATS = pytest.mark.parametrize("suffix", ["csv", "parquet"])


def rows(count: int, step: timedelta = MINUTE, opens: datetime = OPENS) -> Table:
    prices = [float(10 + number % 5) for number in range(count)]
    return {
        "time": [(opens + number * step).isoformat() for number in range(count)],
        "open": prices,
        "high": [price + 1 for price in prices],
        "low": [price - 1 for price in prices],
        "close": prices,
        "volume": [number % 3 for number in range(count)],
    }


def bars(
    folder: Path,
    symbol: str,
    interval: str,
    *,
    limit: int = 10_000,
    now: datetime = LATER,
    extended: bool = False,
    start: datetime = EARLY,
    end: datetime = LATER,
) -> FetchedBars:
    contents = ReplayFolder(folder, rescan_seconds=0).contents()
    instrument = contents.instrument(symbol)
    assert instrument is not None
    request = BarRequest(symbol, BarInterval(interval), start, end, limit, extended_hours=extended)
    return recorded_bars(contents, instrument, request, now)


def opens_of(fetched: FetchedBars) -> list[str]:
    return [f"{bar.open_time:%H:%M}" for bar in fetched.bars]


@FORMATS
def test_bars_are_given_as_recorded(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "bars" / f"AAPL.1m.{suffix}", rows(390))
    fetched = bars(tmp_path, "AAPL", "1m")
    assert len(fetched.bars) == 390
    assert fetched.bars[1] == Bar(
        symbol="AAPL",
        interval=BarInterval.MINUTE_1,
        open_time=OPENS + MINUTE,
        close_time=OPENS + 2 * MINUTE,
        open=Decimal(11),
        high=Decimal(12),
        low=Decimal(10),
        close=Decimal(11),
        volume=Decimal(1),
        trade_count=None,
    )


def test_csv_and_parquet_give_the_same_bars_of_every_interval(tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        write(tmp_path / suffix / "bars" / f"BTC_USDT.1m.{suffix}", rows(5000))
    for interval in ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "1d", "1w", "1mo"):
        assert bars(tmp_path / "csv", "BTC/USDT", interval) == bars(tmp_path / "parquet", "BTC/USDT", interval)


def test_coarser_bars_are_made_of_the_coarsest_recording_that_fits(tmp_path: Path) -> None:
    write(tmp_path / "bars" / "AAPL.1m.csv", rows(390))
    write(tmp_path / "bars" / "AAPL.30m.csv", rows(10, 30 * MINUTE))
    assert opens_of(bars(tmp_path, "AAPL", "1h")) == ["14:30", "15:30", "16:30", "17:30", "18:30"]
    assert len(bars(tmp_path, "AAPL", "5m").bars) == 78


def test_hours_that_do_not_begin_with_the_session_are_made_of_minutes(tmp_path: Path) -> None:
    write(tmp_path / "bars" / "AAPL.1h.csv", rows(6, 60 * MINUTE, OPENS + 30 * MINUTE))
    with pytest.raises(BadFile, match=r"bars/AAPL\.1h\.csv: rows must begin .* 09:30 America/New_York"):
        bars(tmp_path, "AAPL", "1h")
    write(tmp_path / "bars" / "AAPL.1m.csv", rows(390))
    assert opens_of(bars(tmp_path, "AAPL", "1h"))[:2] == ["14:30", "15:30"]


def test_extended_hours_are_shown_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "bars" / "AAPL.30m.csv", rows(32, 30 * MINUTE, OPENS - 330 * MINUTE))
    assert len(bars(tmp_path, "AAPL", "30m").bars) == 13
    assert len(bars(tmp_path, "AAPL", "30m", extended=True).bars) == 32


def test_days_come_before_what_is_finer(tmp_path: Path) -> None:
    write(tmp_path / "bars" / "AAPL.1m.csv", rows(390))
    days: Table = {
        "Date": [date(2026, 11, day).isoformat() for day in (16, 17, 18, 19, 20)],
        "Open": [10, 11, 12, 13, 14],
        "High": [20, 21, 22, 23, 24],
        "Low": [1, 2, 3, 4, 5],
        "Close": [11, 12, 13, 14, 15],
        "Volume": [1, 1, 1, 1, 1],
    }
    write(tmp_path / "bars" / "AAPL.1d.csv", days)
    (week,) = bars(tmp_path, "AAPL", "1w").bars
    assert [week.open, week.high, week.low, week.close, week.volume] == list(map(Decimal, (10, 24, 1, 15, 5)))
    assert (week.open_time, week.close_time) == (datetime(2026, 11, 16, 14, 30, tzinfo=UTC), OPENS + 390 * MINUTE)


def test_nothing_is_known_before_its_span_is_over(tmp_path: Path) -> None:
    write(tmp_path / "bars" / "AAPL.30m.csv", rows(13, 30 * MINUTE))
    seen = bars(tmp_path, "AAPL", "1h", now=OPENS + 89 * MINUTE)
    assert [(f"{bar.open_time:%H:%M}", bar.partial) for bar in seen.bars] == [("14:30", False)]
    seen = bars(tmp_path, "AAPL", "1h", now=OPENS + 90 * MINUTE)
    assert [(f"{bar.open_time:%H:%M}", bar.partial) for bar in seen.bars] == [("14:30", False), ("15:30", True)]
    assert seen.bars[1].volume == 2
    assert bars(tmp_path, "AAPL", "1h", now=OPENS).bars == []


def test_the_day_is_known_at_its_close_however_it_is_stamped(tmp_path: Path) -> None:
    for number, stamp in enumerate(("2026-11-20", "2026-11-20T05:00:00Z", "2026-11-20T14:30:00Z")):
        folder = tmp_path / str(number)
        write(folder / "bars" / "AAPL.1d.csv", {**rows(1), "time": [stamp]})
        assert bars(folder, "AAPL", "1d", now=OPENS + 389 * MINUTE).bars == []
        (day,) = bars(folder, "AAPL", "1d", now=OPENS + 390 * MINUTE).bars
        assert not day.partial


@pytest.mark.parametrize("limit", [1, 2, 499, 500, 501, 1000])
def test_no_more_than_the_oldest_of_a_limit_are_given_each_whole(tmp_path: Path, limit: int) -> None:
    write(tmp_path / "bars" / "BTC_USDT.1m.csv", rows(5 * 1200))
    whole = bars(tmp_path, "BTC/USDT", "5m")
    assert bars(tmp_path, "BTC/USDT", "5m", limit=limit).bars == whole.bars[:limit]


def test_only_bars_of_the_range_are_given_and_the_last_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "bars" / "AAPL.1m.csv", rows(390))
    fetched = bars(tmp_path, "AAPL", "1h", start=OPENS + MINUTE, end=OPENS + 61 * MINUTE)
    assert opens_of(fetched) == ["15:30"]
    assert fetched.bars[0].volume == 60


def test_rows_that_contradict_themselves_are_invalid_spans(tmp_path: Path) -> None:
    table = {name: list(values) for name, values in rows(10).items()}
    table["high"][3] = 1
    table["close"][4] = float("nan")
    write(tmp_path / "bars" / "AAPL.1m.csv", table)
    fetched = bars(tmp_path, "AAPL", "1m")
    assert len(fetched.bars) == 8
    assert fetched.invalid == [(OPENS + 3 * MINUTE, OPENS + 5 * MINUTE)]
    assert bars(tmp_path, "AAPL", "1m", limit=2).invalid == []


def test_gaps_stay_gaps(tmp_path: Path) -> None:
    table = {name: [*values[:3], *values[6:]] for name, values in rows(10).items()}
    write(tmp_path / "bars" / "AAPL.1m.csv", table)
    fetched = bars(tmp_path, "AAPL", "1m")
    assert [bar.open_time for bar in fetched.bars[2:4]] == [OPENS + 2 * MINUTE, OPENS + 6 * MINUTE]
    assert fetched.invalid == []


def test_what_no_recording_makes_is_refused_with_what_there_is(tmp_path: Path) -> None:
    write(tmp_path / "bars" / "AAPL.1d.csv", {**rows(1), "time": ["2026-11-20"]})
    with pytest.raises(PreconditionFailed, match=r"no bars of AAPL .* of 1m; there are: 1d") as refused:
        bars(tmp_path, "AAPL", "1m")
    assert refused.value.reason == "PROVIDER_NOT_CAPABLE"
    write_text(tmp_path / "quotes" / "IBM.csv", "")
    with pytest.raises(PreconditionFailed, match="there are: none"):
        bars(tmp_path, "IBM", "1m")


def test_a_wrongly_named_file_of_the_symbol_is_told(tmp_path: Path) -> None:
    write_text(tmp_path / "bars" / "AAPL.csv", "")
    contents = ReplayFolder(tmp_path, rescan_seconds=0).contents()
    instrument = contents.instrument("AAPL")
    assert instrument is not None
    with pytest.raises(BadFile, match="must be named SYMBOL"):
        source_of(contents, instrument, BarInterval.MINUTE_1, extended_hours=False)


# -- made piece by piece ------------------------------------------------------------------------------------

PRICES = st.integers(1, 100)


@st.composite
def tapes(draw: st.DrawFn) -> list[RawBar | datetime]:
    """Rows of seconds within two days, in order, some broken."""
    made: list[RawBar | datetime] = []
    for second in sorted(draw(st.lists(st.integers(0, 2 * 86_400), unique=True, max_size=60))):
        at = datetime(2026, 11, 29, 12, tzinfo=UTC) + timedelta(seconds=second)
        first, last = Decimal(draw(PRICES)), Decimal(draw(PRICES))
        row = RawBar(at, first, max(first, last), min(first, last), last, Decimal(draw(PRICES)), None, None)
        made.append(draw(st.sampled_from([row] * 9 + [at])))
    return made


@given(
    tapes(),
    st.sampled_from(["1s", "1m", "5m", "1h", "1d", "1w", "1mo"]).map(BarInterval),
    st.lists(st.integers(0, 60), max_size=6).map(sorted),
)
def test_bars_made_piece_by_piece_are_those_made_at_once(
    tape: list[RawBar | datetime], interval: BarInterval, cuts: list[int]
) -> None:
    wanted = Shape(
        "BTC/USDT", interval, BarInterval.SECOND_1, ALWAYS_OPEN, EARLY, LATER, LATER, PriceAdjustment.RAW, recorded=True
    )
    shaper = Shaper(wanted)
    pieces = [tape[start:end] for start, end in zip([0, *cuts], [*cuts, len(tape)], strict=True)]
    made = [*map(shaper.feed, pieces), shaper.finish()]
    at_once, invalid = shape(tape, wanted)
    assert [bar for found, _ in made for bar in found] == at_once
    assert _covered(span for _, spoiled in made for span in spoiled) == _covered(invalid)


def _covered(spans: Iterable[Span]) -> list[Span]:
    joined = list[Span]()
    for start, end in spans:
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined
