"""The journal: where an account's events become durable, together with the read models they change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from domain.risk.aggregates.audit_record import AuditRecord
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.value_objects.money import Money

# What is set for the firm or for a scope that may span accounts; the profile is the firm's ceiling.
Control: TypeAlias = KillSwitch | DeadManSwitch | ScopedTradingState | RiskProfile


@dataclass(slots=True)
class Batch:
    """What one transaction writes: new events, and the newest state of everything they changed.

    The maps hold one entry per row, so an order that changed five times within a batch is written once.
    Keys: (account_id, order_id), (account_id, symbol), (account_id, currency), (account_id, execution_id).
    `fills` are new or changed (busted) ones. `risk_profiles` and `risk_states` by account, `controls` by control id.
    Of `audit`, a record whose id is stored already is left out.
    """

    events: list[Event] = field(default_factory=list)
    orders: dict[tuple[str, str], Order] = field(default_factory=dict)
    fills: dict[tuple[str, str], Fill] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    cash: dict[tuple[str, str], Money] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    risk_profiles: dict[str, RiskProfile] = field(default_factory=dict)
    risk_states: dict[str, RiskState] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    audit: list[AuditRecord] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write: read models change with an event only."""
        return bool(self.events or self.audit or self.controls or self.risk_states)

    def merge(self, other: "Batch") -> None:
        """Take in all of `other`, which is about other accounts."""
        self.events += other.events
        self.orders |= other.orders
        self.fills |= other.fills
        self.positions |= other.positions
        self.cash |= other.cash
        self.accounts |= other.accounts
        self.risk_profiles |= other.risk_profiles
        self.risk_states |= other.risk_states
        self.controls |= other.controls
        self.audit += other.audit


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """All that an account's writer needs to go on: O(open), not O(history).

    `orders` are the open ones and every member of a group that still has an open member.
    `fills` are those of `orders`. `risk_state` is a new one when the account has none yet.
    """

    account: Account
    sequence: int
    risk_profile: RiskProfile
    risk_state: RiskState
    cash: Sequence[Money]
    positions: Sequence[Position]
    orders: Sequence[Order]
    fills: Sequence[Fill]


class Fenced(Exception):
    """A newer writer owns the database: nothing was written, and nothing ever will be by this one."""


class JournalUnavailable(Exception):
    """The transaction failed or its outcome is unknown: read back before going on."""


class Journal(Protocol):
    """The single writing connection to the store."""

    async def take_over(self) -> int:
        """Become the writer: raise the epoch, which fences every older writer for good. Answers the epoch."""
        ...

    async def append(self, batch: Batch) -> None:
        """Write the whole batch in one durable transaction, or nothing.

        Raises Fenced, or JournalUnavailable when it failed or may have been written all the same.
        """
        ...

    async def load(self, account_id: str) -> AccountSnapshot | None:
        """The account as last committed, None when there is no such account."""
        ...

    async def account_ids(self) -> Sequence[str]:
        """Every account there is."""
        ...

    async def controls(self) -> Sequence[Control]:
        """Those in force: engaged and armed switches, every trading state ever set, the firm's profile if set."""
        ...

    async def orders_by_client_id(self, account_id: str, client_order_ids: Collection[str]) -> Sequence[Order]:
        """The stored orders among these ids, whatever their state: one query for a whole batch of commands."""
        ...

    async def orders_by_id(self, account_id: str, order_ids: Collection[str]) -> Sequence[Order]: ...

    async def known_executions(self, account_id: str, execution_ids: Collection[str]) -> Collection[str]:
        """Those of `execution_ids` that are booked, whatever the order."""
        ...

    async def fills_of_orders(self, account_id: str, order_ids: Collection[str]) -> Sequence[Fill]: ...

    async def fills_of_symbol(self, account_id: str, symbol: str) -> Sequence[Fill]:
        """Every fill of the symbol that counts, in the order they were booked."""
        ...
