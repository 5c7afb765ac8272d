"""Bringing into an account's memory what the next commands speak of, in one query of each kind for them all."""

from collections.abc import Collection, Sequence
from typing import Any

from application.ports.journal import Journal
from application.trading.account_book import AccountBook
from application.trading.command import Command
from application.trading.commands.apply_report_command import REBOOKING, ApplyReport
from domain.trading.aggregates.order import Order
from domain.trading.repositories.order_repository import OrderFilter, OrderRepository


async def hydrate(
    book: AccountBook, commands: Sequence[Command[Any]], journal: Journal, store: OrderRepository
) -> None:
    """After it, whatever the commands need is in the book, or does not exist.

    Only what is not in memory is asked for: memory is ahead of the store, never behind it.
    """
    client_ids: dict[str, None] = {}
    order_ids: dict[str, None] = {}
    symbols: dict[str, None] = {}
    for command in commands:
        needs = command.needs()
        client_ids.update((i, None) for i in needs.client_order_ids if i not in book.placements)
        order_ids.update((i, None) for i in needs.order_ids if i not in book.orders)
        symbols.update((s, None) for s in needs.symbols if book.quotes.latest(s) is None)
        for group_id in needs.group_ids:
            if group_id not in book.groups:
                _remember(book, await store.orders(book.account_id, OrderFilter(group_id=group_id), None, 100, False))
    if symbols:
        await book.quotes.ensure(symbols)
    if client_ids:
        await _by_client_id(book, client_ids, journal, store)
    if order_ids:
        orders = await journal.orders_by_id(book.account_id, order_ids)
        await _with_fills(book, orders, journal)
    await _histories(book, commands, journal)


async def _by_client_id(
    book: AccountBook, client_ids: Collection[str], journal: Journal, store: OrderRepository
) -> None:
    found = await journal.orders_by_client_id(book.account_id, client_ids)
    if not found:
        return
    await _with_fills(book, found, journal)
    for order in found:
        first = await store.events(book.account_id, order.created_sequence - 1, 1)
        book.placements[order.terms.client_order_id] = first[0]


async def _with_fills(book: AccountBook, orders: Sequence[Order], journal: Journal) -> None:
    fresh = [order for order in orders if order.order_id not in book.orders]
    if not fresh:
        return
    fills = await journal.fills_of_orders(book.account_id, [order.order_id for order in fresh])
    _remember(book, fresh)
    for fill in fills:
        book.remember_fill(fill)


def _remember(book: AccountBook, orders: Sequence[Order]) -> None:
    for order in orders:
        book.remember(order)


async def _histories(book: AccountBook, commands: Sequence[Command[Any]], journal: Journal) -> None:
    """The fills of each symbol that a bust or correction is about; dropped from memory when they are not."""
    book.symbol_fills.clear()
    for command in commands:
        if isinstance(command, ApplyReport) and command.report.type in REBOOKING:
            order = book.orders.get(command.report.order_id)
            if order is not None and order.terms.symbol not in book.symbol_fills:
                fills = await journal.fills_of_symbol(book.account_id, order.terms.symbol)
                book.symbol_fills[order.terms.symbol] = list(fills)
