"""A whole server core on the in-process store, which may die at any moment and come back."""

import asyncio

from adapters.clock import ManualClock
from adapters.persistence.memory import MemoryDatabase, MemoryJournal, MemoryOrderRepository
from adapters.persistence.memory_controls import MemoryControlRepository
from application.ports.journal import Batch
from application.risk.risk_desk import RiskDesk
from application.risk.supervisor import Supervisor
from application.trading.commands.create_account_command import CreateAccount, CreateAccountHandler
from application.trading.trading_engine import TradingEngine
from domain.trading.events.order_events import Event
from tests.proof.venue import Venue
from tests.support.engine import WATCH, FaultyJournal
from tests.support.trading import START, D, SequentialIds, SetQuotes, instrument

ACCOUNTS = ("left", "right")
PRICES = {"ACME": D(50), "BOLT": D(20)}
CASH = D(10_000)
_QUARTER = 0.25
# Longer than callers are ever waited for, shorter than any patience.
_IDLE = 0.05


class LingeringJournal(MemoryJournal):
    """While `answering` is not set, what was written is not confirmed."""

    answering: asyncio.Event

    async def append(self, batch: Batch) -> None:
        await super().append(batch)
        await self.answering.wait()


class Site:
    """What outlives a server: clock, quotes, database and venue. What does not: the rest."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.quotes = SetQuotes(self.clock)
        self.ids = SequentialIds()
        self.database = MemoryDatabase()
        self.venue = Venue(self.clock, self.quotes)
        self.spreads = {symbol: (price, price) for symbol, price in PRICES.items()}
        for symbol in PRICES:
            self.quotes.list(instrument(symbol))
        self.refresh()

    async def open(self) -> None:
        await self.start()
        create = CreateAccountHandler(self.engine, self.clock)
        for account_id in ACCOUNTS:
            await create(CreateAccount(account_id, "user:test", "venue", "USD", CASH))

    async def start(self) -> None:
        """A new process."""
        stored = LingeringJournal(self.database, reached=lambda point: None)
        stored.answering = self.answering = asyncio.Event()
        self.answering.set()
        self.journal = FaultyJournal(stored)
        venue = self.venue.connect()
        self.engine = TradingEngine(
            self.journal,
            MemoryOrderRepository(self.database),
            {venue.name: venue},
            self.quotes,
            self.clock,
            self.ids,
            WATCH,
            lambda: None,
        )
        controls = MemoryControlRepository(self.database)
        self.desk = RiskDesk(self.engine, controls, self.engine.controls, self.clock, self.ids)
        await self.engine.load()
        await self.desk.start()
        await self.engine.connect()
        self.supervisor = Supervisor(self.desk, self.clock)
        self.supervisor.start()

    async def die(self) -> None:
        """As a power cut: whatever is under way ends where it is."""
        if self.venue.connection is not None:
            await self.venue.connection.stop()
            self.venue.connection = None
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- time and prices ------------------------------------------------------------------------------

    def quote(self, symbol: str, bid: str | int, spread: str | int) -> None:
        self.spreads[symbol] = D(bid), D(bid) + D(spread)
        self.refresh()

    def refresh(self) -> None:
        for symbol, (bid, ask) in self.spreads.items():
            self.quotes.set(symbol, bid, ask)

    async def idle(self) -> None:
        """Let everything run that can without the clock going on."""
        await asyncio.sleep(_IDLE)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / _QUARTER)):
            self.clock.advance(_QUARTER)
            self.refresh()
            await self.idle()

    # -- the store, as anybody can read it ------------------------------------------------------------

    def events(self, account_id: str, after: int) -> list[Event]:
        return self.database.events[account_id][after:]

    @property
    def store_is_sound(self) -> bool:
        waits = self.journal.waiting or not self.journal.gate.is_set() or not self.answering.is_set()
        return not (waits or self.journal.faults)
