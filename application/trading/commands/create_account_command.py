"""Create an account."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from application.audit import carried_out
from application.ports.clock import Clock
from application.ports.journal import AccountSnapshot, Batch
from application.trading.trading_engine import TradingEngine
from domain.errors import AlreadyExists, Unavailable
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.trading.aggregates.account import Account
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.money import Money


@dataclass(frozen=True, slots=True)
class CreateAccount:
    account_id: str
    actor: str
    broker: str
    base_currency: str
    starting_cash: Decimal


@dataclass(frozen=True, slots=True)
class CreatedAccount:
    account: Account
    replayed: bool


class CreateAccountHandler:
    """An account has no writer before it exists, so its first event is written here, one creation at a time."""

    def __init__(self, engine: TradingEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._turn = asyncio.Lock()

    async def __call__(self, command: CreateAccount) -> CreatedAccount:
        """Raises NotFound for a broker that is not configured, AlreadyExists for an id with other content."""
        self._engine.broker(command.broker)
        # Shielded: a caller that goes away must not leave an account that is stored and has no writer.
        return await asyncio.shield(asyncio.create_task(self._create(command)))

    async def _create(self, command: CreateAccount) -> CreatedAccount:
        async with self._turn:
            if self._engine.has(command.account_id):
                return self._existing(command)
            account = Account(
                command.account_id,
                command.broker,
                command.base_currency,
                command.starting_cash,
                self._clock.now(),
            )
            profile = RiskProfile(account.account_id, updated_time=account.created_time)
            snapshot = AccountSnapshot(
                account=account,
                sequence=1,
                risk_profile=profile,
                risk_state=RiskState(account.account_id).valued(
                    account.starting_cash, account.created_time, profile.day_start
                ),
                cash=[Money(account.starting_cash, account.base_currency)],
                positions=[],
                orders=[],
                fills=[],
            )
            await self._store(snapshot, command.actor)
            self._engine.add(snapshot)
            return CreatedAccount(account, replayed=False)

    def _existing(self, command: CreateAccount) -> CreatedAccount:
        account = self._engine.writer(command.account_id).account
        asked = (command.broker, command.base_currency, command.starting_cash)
        if (account.broker, account.base_currency, account.starting_cash) != asked:
            raise AlreadyExists(
                f"account_id: {account.account_id!r} exists with other content",
                reason="ACCOUNT_ALREADY_EXISTS",
                account_id=account.account_id,
            )
        return CreatedAccount(account, replayed=True)

    async def _store(self, snapshot: AccountSnapshot, actor: str) -> None:
        account = snapshot.account
        created = Event(account.account_id, 1, account.created_time, actor, EventType.ACCOUNT_CREATED, account=account)
        batch = Batch(
            events=[created],
            cash={(account.account_id, account.base_currency): snapshot.cash[0]},
            accounts={account.account_id: account},
            risk_profiles={account.account_id: snapshot.risk_profile},
            risk_states={account.account_id: snapshot.risk_state},
            audit=carried_out(account.created_time, 1),
        )
        try:
            await self._engine.committer.write(batch)
        except Unavailable:
            # It may be stored all the same: then it is found there, and the repeated request is answered by it.
            stored = await self._engine.journal.load(account.account_id)
            if stored is not None:
                self._engine.add(stored)
            raise
