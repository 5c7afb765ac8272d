"""One demo from start to end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from rich.console import Console

from server.demo.api import Api
from server.demo.books import Books, Check, audit
from server.demo.desk import Desk
from server.demo.failures import DemoFailed
from server.demo.feeds import follow_events, follow_fills, follow_portfolio
from server.demo.prices import Prices
from server.demo.screen import screen_for
from server.demo.script import SCRIPT, SYMBOLS, title_of
from server.demo.server_process import serving
from server.demo.summary import show_summary
from server.demo.view import View
from server.demo.waiting import wait_until

ACCOUNT_ID: Final = "demo"
BROKER: Final = "paper"
BASE_CURRENCY: Final = "USD"
STARTING_CASH: Final = "250000"

# The script takes this share of the time; in the rest, what still works may go on.
_SCRIPT_SHARE = 0.75
_SETTLE_SECONDS = 10.0
_PATIENCE_SECONDS = 20.0
_READINGS = 3


async def run_session(console: Console, seconds: float) -> None:
    """Raises DemoFailed or grpc.aio.AioRpcError; when it is cancelled, it cancels the open orders first."""
    console.print("Starting a server of its own, on an empty data folder ...")
    async with serving() as (server, channel):
        session = Session(console, Api(channel, ACCOUNT_ID), View(seconds))
        try:
            async with session.alongside(server.watch()):
                await session.run()
        except asyncio.CancelledError:
            await session.give_up()
            raise


class Session:
    """One account on a server that is ready."""

    def __init__(self, console: Console, api: Api, view: View) -> None:
        self._console = console
        self._api = api
        self._view = view
        self._desk = Desk(api, view)

    @asynccontextmanager
    async def alongside(self, *watchers: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
        """Have the account, and follow it while the body runs; the first failure ends all and is raised."""
        await self._desk.open_account(BROKER, BASE_CURRENCY, STARTING_CASH)
        feeds = [follow(self._api, self._view) for follow in (follow_events, follow_fills, follow_portfolio)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work) for work in (*watchers, *feeds)]
                yield
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def run(self) -> None:
        """Trade and prove; raises DemoFailed also when the server no longer answers."""
        try:
            async with asyncio.timeout(self._view.seconds + _PATIENCE_SECONDS):
                await self.trade()
                await self.prove()
        except TimeoutError:
            raise DemoFailed("the server does not answer any more") from None

    async def trade(self) -> None:
        """Play the script, and end with no order open."""
        with screen_for(self._console, self._view) as screen:
            drawing = asyncio.create_task(screen.keep_fresh())
            try:
                await self._play()
                self._view.title = "the end"
                canceled = await self._desk.cancel_what_is_open("the demo ends")
                self._view.say(f"{canceled} open orders canceled")
                await wait_until(self._all_ended, _SETTLE_SECONDS, "canceled orders have not ended")
            finally:
                drawing.cancel()

    async def _play(self) -> None:
        instruments = await self._api.instruments(SYMBOLS)
        pause = self._view.seconds * _SCRIPT_SHARE / len(SCRIPT)
        for number, step in enumerate(SCRIPT):
            await self._until(number * pause)
            self._view.title = title_of(step)
            await step(self._desk, Prices(await self._api.quotes(SYMBOLS), instruments))
        await self._until(self._view.seconds)

    async def _until(self, seconds: float) -> None:
        await asyncio.sleep(seconds - self._view.elapsed)

    async def _all_ended(self) -> bool:
        return not await self._api.list_orders(open_only=True)

    async def prove(self) -> None:
        """Show what came of it; raises DemoFailed when the books do not agree."""
        books, checks = await self._audited()
        show_summary(self._console, books, checks)
        if not all(check.agrees for check in checks):
            raise DemoFailed("the books do not agree")

    async def _audited(self) -> tuple[Books, list[Check]]:
        """Equity and profit are valued at the market, which may tick within a reading: so it may be repeated."""
        for _ in range(_READINGS):
            books = await self._read()
            checks = audit(books)
            if all(check.agrees for check in checks):
                break
        return books, checks

    async def _read(self) -> Books:
        portfolio = await self._api.portfolio()
        what = f"the streams have not reached event {portfolio.sequence} of the journal"
        await wait_until(lambda: self._heard(portfolio.sequence), _SETTLE_SECONDS, what)
        instruments = await self._api.instruments(SYMBOLS)
        return Books(
            base_currency=BASE_CURRENCY,
            starting_cash=STARTING_CASH,
            seen=self._view.orders,
            streamed=self._view.fills,
            orders=await self._api.list_orders(),
            fills=await self._api.list_fills(),
            positions=await self._api.positions(),
            portfolio=portfolio,
            currencies={symbol: instrument.currency for symbol, instrument in instruments.items()},
        )

    async def _heard(self, sequence: int) -> bool:
        """Whether both streams are complete up to `sequence`."""
        return min(self._view.events_until, self._view.fills_until) >= sequence

    async def give_up(self) -> None:
        canceled = await self._desk.cancel_what_is_open("the demo was interrupted")
        self._console.print(f"Interrupted: {canceled} open orders canceled.", highlight=False)
