"""What is shown while the demo trades: a dashboard in a terminal, plain lines anywhere else."""

import asyncio
from itertools import islice
from typing import Final, Never, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from server.demo.orders import side_of
from server.demo.tables import WIDE, fills_table, money, orders_table, positions_table, totals
from server.demo.view import Line, View

_FRAME_SECONDS = 0.2
_REPORT_SECONDS = 5.0
_TITLE_WIDTH: Final = 26


class Screen(Protocol):
    """Shown from entry to exit; `keep_fresh` runs in between."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    async def keep_fresh(self) -> Never: ...


def screen_for(console: Console, view: View) -> Screen:
    if console.is_terminal and not console.is_dumb_terminal:
        return Dashboard(console, view)
    return Printout(console, view)


class Dashboard:
    """The whole terminal, drawn anew five times a second; what it showed before comes back at the exit."""

    def __init__(self, console: Console, view: View) -> None:
        self._console = console
        self._view = view
        self._live = Live(console=console, screen=True, auto_refresh=False, get_renderable=self._draw)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    async def keep_fresh(self) -> Never:
        while True:
            self._live.refresh()
            await asyncio.sleep(_FRAME_SECONDS)

    def _draw(self) -> RenderableType:
        return dashboard(self._view, self._console.width, self._console.height)


def dashboard(view: View, width: int, height: int) -> Layout:
    """Sections are cut at the end where they are higher than their place, so what matters comes first."""
    wide = width >= WIDE
    orders = [*view.open_orders(), *view.closed_orders()][:height]
    fills = Layout(_section(f"Fills: {len(view.fills)}", fills_table(view.fills[: -height - 1 : -1], wide=wide)))
    working = Layout(_section(_counted(view), orders_table(orders, wide=wide)), ratio=2)
    held = sorted(view.portfolio.positions, key=lambda position: position.sequence, reverse=True)
    positions = Layout(_section(f"Positions: {len(held)}", positions_table(held, wide=wide)))
    log = Layout(_section("Requests", Group(*map(log_line, islice(reversed(view.log), height)))))
    body = Layout()
    if wide:
        left, right = Layout(), Layout()
        left.split_column(fills, log)
        right.split_column(working, positions)
        body.split_row(left, Layout(Text(" "), size=2), right)
    else:
        log.size = 4
        body.split_column(fills, working, positions, log)
    whole = Layout()
    whole.split_column(Layout(_header(view), size=4), body)
    return whole


def _header(view: View) -> Panel:
    title = f"quantmesh demo, {min(view.elapsed, view.seconds):.0f} of {view.seconds:.0f} s"
    return Panel(totals(view.portfolio), title=title, title_align="left", padding=(0, 1))


def _section(title: str, content: RenderableType) -> Group:
    return Group(Rule(Text(title, "bold"), align="left", style="dim"), content)


def _counted(view: View) -> str:
    working = len(view.open_orders())
    return f"Orders: {working} open, {len(view.orders) - working} ended"


class Printout:
    """A line for each request and each fill, and one for the account now and then. No cursor codes."""

    def __init__(self, console: Console, view: View) -> None:
        self._console = console
        self._view = view
        self._lines = self._fills = 0
        self._next_report = _REPORT_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._print_news()

    async def keep_fresh(self) -> Never:
        while True:
            self._print_news()
            if self._view.elapsed >= self._next_report:
                self._next_report += _REPORT_SECONDS
                self._print(Line(self._view.elapsed, "account", _account(self._view), "bold"))
            await asyncio.sleep(_FRAME_SECONDS)

    def _print_news(self) -> None:
        for line in self._view.log[self._lines :]:
            self._print(line)
        for fill in self._view.fills[self._fills :]:
            self._print(Line(self._view.elapsed, "fill", _filled(fill), "green" if fill.side == SIDE_BUY else "red"))
        self._lines, self._fills = len(self._view.log), len(self._view.fills)

    def _print(self, line: Line) -> None:
        self._console.print(log_line(line), soft_wrap=True, highlight=False)


def log_line(line: Line) -> Text:
    return Text(f"{line.seconds:5.1f} s  {line.title:<{_TITLE_WIDTH}}{line.text}", line.style, no_wrap=True)


def _filled(fill: Fill) -> str:
    return f"{side_of(fill.side)} {fill.quantity} {fill.symbol} at {fill.price}"


def _account(view: View) -> str:
    return f"equity {money(view.portfolio.equity)}, open orders {len(view.open_orders())}, fills {len(view.fills)}"
