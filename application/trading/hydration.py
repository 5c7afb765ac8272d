"""Bringing into an account's memory what the next commands speak of, in one query of each kind for them all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from application.ports.journal import Journal
from application.trading.account_book import AccountBook
from application.trading.command import Command
from application.trading.commands.apply_report_command import ApplyReport
from application.trading.fresh_quotes import refresh_quotes
from domain.span import span
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.repositories.order_repository import OrderFilter, OrderRepository

_PAGE = 1_000


async def hydrate(
    book: AccountBook, commands: Sequence[Command[Any]], journal: Journal, store: OrderRepository
) -> None:
    """After it, whatever the commands need is in the book, or does not exist.

    Only what is not in memory is asked for: memory is ahead of the store, never behind it.
    """
    client_ids: dict[str, None] = {}
    order_ids: dict[str, None] = {}
    group_ids: dict[str, None] = {}
    executions: dict[str, None] = {}
    needs = [command.needs() for command in commands]
    for asked in needs:
        for wanted, ids, known in (
            (client_ids, asked.client_order_ids, book.placements),
            (order_ids, asked.order_ids, book.orders),
            (group_ids, asked.group_ids, ()),
            (executions, asked.execution_ids, book.executions),
        ):
            for id in ids:
                if id not in known:
                    wanted[id] = None
    window = book.limits.duplicate_window
    if window is not None:
        await _look_alikes(book, book.now - span(window), store)
    elif book.look_alikes.known_from is not None:
        book.look_alikes.forget()
    if executions:
        book.executions.update(await journal.known_executions(book.account_id, executions))
    found: list[Order] = []
    if client_ids:
        found += await journal.orders_by_client_id(book.account_id, client_ids)
        await _placements(book, found, store)
    if order_ids:
        found += await journal.orders_by_id(book.account_id, order_ids)
    group_ids.update((order.group_id, None) for order in found if order.group_id)
    for group_id in group_ids:
        # Members are forgotten together, so one that is in memory has the others beside it.
        if group_id not in book.groups:
            found += await store.orders(book.account_id, OrderFilter(group_id=group_id), None, 100, False)
    if found:
        await _with_fills(book, found, journal)
    await _histories(book, commands, journal)
    await refresh_quotes(book, needs)


async def _look_alikes(book: AccountBook, since: datetime, store: OrderRepository) -> None:
    """The orders that were placed since then: once, after a start or when the window became longer."""
    if book.look_alikes.knows(since):
        return
    placed = {order.order_id: order for order in book.orders.values() if order.created_time >= since}
    after: int | None = None
    while True:
        page = await store.orders(book.account_id, OrderFilter(created_from=since), after, _PAGE, False)
        placed |= {order.order_id: order for order in page if order.order_id not in placed}
        if len(page) < _PAGE:
            break
        after = page[-1].created_sequence
    oldest_first = sorted(placed.values(), key=lambda order: order.created_sequence)
    book.look_alikes.load((order for order in oldest_first if order.state is not OrderStatus.REJECTED), since)


async def _placements(book: AccountBook, orders: Sequence[Order], store: OrderRepository) -> None:
    for order in orders:
        first = await store.events(book.account_id, order.created_sequence - 1, 1)
        book.placements[order.terms.client_order_id] = first[0]


async def _with_fills(book: AccountBook, orders: Sequence[Order], journal: Journal) -> None:
    fresh = {order.order_id: order for order in orders if order.order_id not in book.orders}
    if not fresh:
        return
    fills = await journal.fills_of_orders(book.account_id, fresh.keys())
    for order in fresh.values():
        book.remember(order)
    for fill in fills:
        book.remember_fill(fill)


async def _histories(book: AccountBook, commands: Sequence[Command[Any]], journal: Journal) -> None:
    """The fills of each symbol that a bust or correction is about; dropped from memory when they are not."""
    book.symbol_fills.clear()
    for command in commands:
        if isinstance(command, ApplyReport) and command.rebooks(book):
            order = book.orders.get(command.report.order_id)
            if order is not None and order.terms.symbol not in book.symbol_fills:
                fills = await journal.fills_of_symbol(book.account_id, order.terms.symbol)
                book.symbol_fills[order.terms.symbol] = sorted(fills, key=lambda fill: fill.place)
