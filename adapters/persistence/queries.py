"""The reads that take no filters."""

from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Select,
    false,
    func,
    or_,
    select,
    union_all,
)

from adapters.persistence.sql import among, number, pair_among, text
from adapters.persistence.tables import (
    IN_FORCE,
    IS_OPEN,
    accounts,
    cash,
    fills,
    journal,
    orders,
    positions,
    risk_controls,
    risk_profiles,
    risk_states,
)

_ACCOUNT: Final = text("account_id")
_LIMIT: Final = number("limit")

ACCOUNT_IDS: Final = select(accounts.c.account_id).order_by(accounts.c.account_id)
ACCOUNTS: Final = (
    select(accounts.c.body).where(accounts.c.account_id > text("after")).order_by(accounts.c.account_id).limit(_LIMIT)
)
ACCOUNT: Final = select(accounts.c.body).where(accounts.c.account_id == _ACCOUNT)
RISK_PROFILE: Final = select(risk_profiles.c.body).where(risk_profiles.c.account_id == _ACCOUNT)
RISK_STATE: Final = select(risk_states.c.body).where(risk_states.c.account_id == _ACCOUNT)
CASH: Final = select(cash.c.amount, cash.c.currency).where(cash.c.account_id == _ACCOUNT).order_by(cash.c.currency)

_CONTROLS = select(risk_controls.c.kind, risk_controls.c.body)
CONTROLS_IN_FORCE: Final = _CONTROLS.where(IN_FORCE).order_by(risk_controls.c.control_id)
_CONTROLS_OF_KIND = _CONTROLS.where(risk_controls.c.kind == text("kind"))
CONTROL: Final = _CONTROLS_OF_KIND.where(risk_controls.c.control_id == text("control_id"))


@cache
def controls(*, of_account: bool, only_in_force: bool, newest_first: bool) -> Select[Any]:
    """A page of one kind, by id. `of_account`: only what bears on the account."""
    account_id, control_id = risk_controls.c.account_id, risk_controls.c.control_id
    page = _CONTROLS_OF_KIND.where(control_id < text("after") if newest_first else control_id > text("after"))
    if of_account:
        page = page.where(or_(account_id.is_(None), account_id == _ACCOUNT))
    if only_in_force:
        page = page.where(IN_FORCE)
    return page.order_by(control_id.desc() if newest_first else control_id).limit(_LIMIT)


_POSITIONS = select(positions.c.body).where(positions.c.account_id == _ACCOUNT).order_by(positions.c.symbol)
POSITIONS: Final = _POSITIONS
HOLDINGS: Final = _POSITIONS.where(positions.c.symbol > text("after"), positions.c.is_flat == false()).limit(_LIMIT)

LAST_SEQUENCE: Final = select(func.coalesce(func.max(journal.c.sequence), 0)).where(journal.c.account_id == _ACCOUNT)
_EVENTS = (
    select(journal.c.sequence, journal.c.body, journal.c.order_body)
    .where(
        journal.c.account_id == _ACCOUNT,
        journal.c.sequence > number("after"),
        journal.c.sequence <= number("until"),
    )
    .order_by(journal.c.sequence)
    .limit(_LIMIT)
)
EVENTS: Final = _EVENTS
EVENTS_OF_ORDER: Final = _EVENTS.where(journal.c.order_id == text("order_id"))

_ORDERS = select(orders.c.body).where(orders.c.account_id == _ACCOUNT)
ORDER: Final = _ORDERS.where(orders.c.order_id == text("order_id"))
ORDER_BY_CLIENT_ID: Final = _ORDERS.where(orders.c.client_order_id == text("client_order_id"))
ORDERS_BY_ID: Final = _ORDERS.where(among(orders.c.order_id, "ids"))

_FILLS = select(fills.c.body).where(fills.c.account_id == _ACCOUNT)
# Without an order: asked for one, SQLite walks through all fills by their numbers instead of finding these.
FILLS_OF_ORDERS: Final = _FILLS.where(among(fills.c.order_id, "ids"))
FILLS_OF_SYMBOL: Final = _FILLS.where(fills.c.symbol == text("symbol"), fills.c.busted == false())


class LookUp(NamedTuple):
    """What is asked on the way of every order, by whole keys and mostly in vain: of one account, and of many at once,
    with the account before each row.
    """

    of_one: Select[Any]
    of_many: Select[Any]


def _look_up(key: Column[str], shown: Column[Any]) -> LookUp:
    account_id = key.table.c.account_id
    return LookUp(
        select(shown).where(account_id == _ACCOUNT, among(key, "ids")),
        select(account_id, shown).where(pair_among((account_id, key), ("accounts", "ids"))),
    )


ORDERS_BY_CLIENT_ID: Final = _look_up(orders.c.client_order_id, orders.c.body)
KNOWN_EXECUTIONS: Final = _look_up(fills.c.execution_id, fills.c.execution_id)


def _live(column: ColumnElement[Any], *more: ColumnElement[Any]) -> CompoundSelect[Any]:
    """Of the open orders, and of the closed ones whose group has an open member. Both come by partial indexes."""
    of_account = select(column, *more).where(orders.c.account_id == _ACCOUNT)
    # Not narrowed to what has a group: SQLite would then walk all groups there ever were.
    open_groups = select(orders.c.group_id).where(orders.c.account_id == _ACCOUNT, IS_OPEN)
    siblings = of_account.where(orders.c.group_id.in_(open_groups), orders.c.is_open == false())
    return union_all(of_account.where(IS_OPEN), siblings)


# Without an order: asked for one, SQLite walks through all orders by their age instead of finding these.
LIVE_ORDERS: Final = _live(orders.c.body, orders.c.created_sequence)
FILLS_OF_LIVE_ORDERS: Final = _FILLS.where(fills.c.order_id.in_(_live(orders.c.order_id)))
