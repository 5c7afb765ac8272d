"""What an engaged kill switch does to the orders and positions in its scope, until nothing is left to do.

It derives everything from the accounts as they are, so repeating it is safe and a restart goes on by itself.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from application.ports.clock import Clock
from application.risk.commands.enforce_kill_switch_command import EnforceKillSwitch
from application.risk.commands.flatten_command import Flatten, Held
from application.risk.control_keeper import ControlKeeper
from application.risk.flattening import flattened_by, is_in_scope
from application.risk.strategy_holdings import StrategyHoldings
from application.trading.account_writer import AccountWriter
from domain.decimals import ZERO
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import Scope, ScopeKind
from domain.trading.aggregates.order import Order

OrderKey = tuple[str, str]

_REPEAT_SECONDS = 5


class Enforcement:
    """`tries` counts how often the cancel of an order that is still open was asked for since the server started."""

    def __init__(self, keeper: ControlKeeper, clock: Clock) -> None:
        self._keeper = keeper
        self._clock = clock
        self.tries: dict[OrderKey, int] = {}
        self._asked: dict[OrderKey, datetime] = {}
        self._holdings = StrategyHoldings(keeper.engine.store)

    def open_orders(self, kill: KillSwitch) -> list[OrderKey]:
        """Account and id of every open order in the scope, but those that close positions for a kill switch."""
        return [
            (order.account_id, order.order_id)
            for writer in self._keeper.writers(kill)
            for order in _open_in_scope(writer, kill)
            if flattened_by(self._keeper.controls, order) is None
        ]

    async def enforce(self, kill: KillSwitch, *, at_once: bool) -> None:
        """Ask for the cancels that are due, `at_once` also for those asked for just now; flatten once all ended."""
        await self._keeper.all_of(self._enforce(writer, kill, at_once) for writer in self._keeper.writers(kill))

    async def _enforce(self, writer: AccountWriter, kill: KillSwitch, at_once: bool) -> None:
        actor = f"kill_switch:{kill.kill_switch_id}"
        orders = _open_in_scope(writer, kill)
        due = [order for order in orders if self._is_due(order, at_once)]
        if due and kill.cancel_orders:
            spared = frozenset(order.order_id for order in orders) - {order.order_id for order in due}
            command = EnforceKillSwitch(writer.account_id, actor, kill.kill_switch_id, spared)
            self._count(writer.account_id, await self._keeper.run(writer, command) or ())
        if kill.flatten and not _open_in_scope(writer, kill):
            await self._flatten(writer, kill, actor)

    def _is_due(self, order: Order, at_once: bool) -> bool:
        """Whether its cancel is to be asked for: it is not pending, and was not refused just now."""
        if order.cancel_pending or flattened_by(self._keeper.controls, order) is not None:
            return False
        asked = self._asked.get((order.account_id, order.order_id))
        return at_once or asked is None or self._clock.now() - asked >= timedelta(seconds=_REPEAT_SECONDS)

    def _count(self, account_id: str, order_ids: Iterable[str]) -> None:
        for key in [(account_id, order_id) for order_id in order_ids]:
            self._asked[key] = self._clock.now()
            self.tries[key] = self.tries.get(key, 0) + 1

    def forget(self, is_open: Callable[[OrderKey], bool]) -> None:
        """Let go of what is known of orders that have ended."""
        for key in [key for key in self.tries if not is_open(key)]:
            del self.tries[key], self._asked[key]

    # -- positions ----------------------------------------------------------------------------------

    async def _flatten(self, writer: AccountWriter, kill: KillSwitch, actor: str) -> None:
        held = [held async for held in self._held(writer, kill.scope)]
        if held:
            await self._keeper.run(writer, Flatten(writer.account_id, actor, kill.kill_switch_id, tuple(held)))

    async def _held(self, writer: AccountWriter, scope: Scope) -> AsyncIterator[Held]:
        """What is held in the scope, of a strategy as much as is its own."""
        for symbol, position in sorted(writer.book.portfolio.positions.items()):
            if not position.quantity or (scope.kind is ScopeKind.SYMBOL and symbol != scope.key):
                continue
            quantity = position.quantity
            if scope.kind is ScopeKind.STRATEGY:
                if position.sequence > writer.feed.last_sequence:
                    continue  # what has made it is not stored yet
                owners = await self._holdings.of(writer.account_id, symbol, quantity, position.sequence)
                quantity = _share(owners.get(scope.key, ZERO), quantity)
            if quantity:
                yield Held(symbol, quantity, position.sequence)


def _share(owned: Decimal, held: Decimal) -> Decimal:
    """How much of the account's position is the owner's: nothing when they are on opposite sides."""
    if (owned > ZERO) != (held > ZERO):
        return ZERO
    return min(owned, held, key=abs)


def _open_in_scope(writer: AccountWriter, kill: KillSwitch) -> list[Order]:
    return [order for order in writer.book.open() if is_in_scope(kill.scope, order)]
