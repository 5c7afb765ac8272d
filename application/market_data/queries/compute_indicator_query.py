"""An indicator over the bars of one instrument, with the history before them that it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from application.market_data.bar_columns import BarColumns
from application.market_data.bar_history import newest, pages, pages_back
from application.market_data.bar_ranges import EARLIEST, BarSeries
from application.market_data.indicator_cells import cell_start, rows_of, windows
from application.market_data.indicator_desk import IndicatorDesk
from application.market_data.market import Market
from application.market_data.queries.list_bars_query import BarsPlace
from domain.errors import OutOfRange
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.indicator import BarField, IndicatorCall, IndicatorHistory

MOST_HISTORY = 200_000
"""So many bars before the first row are read at most."""
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class IndicatorRows:
    """`values` has a row for each bar, with a number for each of `outputs`; one that is not finite is no value. `bars`
    has one more when the list, which ends at `end`, goes on. `warm_up` bars were read before the first.
    """

    outputs: Sequence[str]
    bars: Sequence[Bar]
    values: Sequence[tuple[float, ...]]
    end: datetime
    warm_up: int


@dataclass(frozen=True, slots=True)
class ComputeIndicator:
    """Up to `size` rows, as ListBars has bars. The value at a bar does not depend on `start`, `size` or `place`.

    Raises InvalidArgument for a parameter or an input; NotFound: INDICATOR_NOT_FOUND, INSTRUMENT_NOT_FOUND,
    PROVIDER_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CAPABLE, PROVIDER_NOT_CONFIGURED; OutOfRange:
    TIME_RANGE_NOT_COVERED when values depend on more than MOST_HISTORY bars; Throttled and Unavailable when the
    provider does not give what is not kept.
    """

    symbol: str
    interval: BarInterval
    indicator: str
    size: int
    parameters: Mapping[str, Decimal] = field(default_factory=dict)
    inputs: Mapping[str, BarField] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    place: BarsPlace | None = None
    provider: str = ""
    adjustment: PriceAdjustment = PriceAdjustment.RAW
    extended_hours: bool = False

    async def answer(self, market: Market, desk: IndicatorDesk) -> IndicatorRows:
        indicator = await desk.run(desk.indicators.find, self.indicator)
        call = indicator.call(self.parameters, self.inputs)
        history = await desk.run(desk.indicators.history, call)
        source = await market.source(self.symbol, self.provider)
        source.require_bars(self.interval, self.adjustment, self.extended_hours)
        series = BarSeries(market, source, self.interval, self.adjustment, self.extended_hours)
        end = self.place.end if self.place else self.end or market.clock.now()
        bars = await self._bars(series, end)
        reader = _Reader(series, desk, call)
        values, warm_up = await reader.values(bars[: self.size], history) if bars else ([], 0)
        return IndicatorRows([output.name for output in indicator.outputs], bars, values, end, warm_up)

    async def _bars(self, series: BarSeries, end: datetime) -> Sequence[Bar]:
        if self.start is None:
            return (await newest(series, end, self.size)).bars
        start = self.place.after + _INSTANT if self.place else self.start
        return (await series.between(start, end, self.size + 1)).bars


@dataclass(frozen=True, slots=True)
class _Reader:
    series: BarSeries
    desk: IndicatorDesk
    call: IndicatorCall

    async def values(self, bars: Sequence[Bar], history: IndicatorHistory) -> tuple[Sequence[tuple[float, ...]], int]:
        """The values at `bars`, at least one, and how many bars were read before them."""
        depth = None if history.unstable_period is None else history.lookback + history.unstable_period
        cell = EARLIEST if depth is None else cell_start(self.series.interval, bars[0].open_time)
        columns = self._columns()
        if depth is not None:
            await self._read_back(columns, cell, depth)
        before_cell = len(columns)
        async for page in pages(self.series, cell, bars[0].open_time):
            await self.desk.run(columns.append, page.bars)
            if depth is None:
                self._require_few(columns)
        first = len(columns)
        await self.desk.run(columns.append, bars)
        opens = [bar.open_time for bar in bars]
        inputs = columns.series(self.call.fields)
        rows: list[tuple[float, ...]] = []
        for window in windows(self.series.interval, opens, first, before_cell, depth):
            # One at a time: other requests get their turn in between, and one that is cancelled ends.
            rows += await self.desk.run(rows_of, self.desk.indicators, self.call, inputs, window)
        return rows, first

    async def _read_back(self, columns: BarColumns, end: datetime, depth: int) -> None:
        """The last `depth` bars before `end`."""
        blocks: list[BarColumns] = []
        async for page in pages_back(self.series, end, min(depth, MOST_HISTORY + 1)):
            blocks.append(self._columns())
            await self.desk.run(blocks[-1].append, page.bars)
        columns.join(reversed(blocks))
        self._require_few(columns)

    def _columns(self) -> BarColumns:
        return BarColumns(frozenset(self.call.fields))

    def _require_few(self, columns: BarColumns) -> None:
        if len(columns) > MOST_HISTORY:
            raise OutOfRange(
                f"interval: with these parameters {self.call.name} depends on more than {MOST_HISTORY:,} bars before "
                f"the first row; ask for bars of a longer interval, or for shorter periods",
                reason="TIME_RANGE_NOT_COVERED",
                symbol=self.series.source.symbol,
                indicator=self.call.name,
                most_bars=str(MOST_HISTORY),
            )
