"""What must be true of every account, whatever was killed, lost, repeated or taken over on its way."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Any, Final

import grpc

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_query_pb2 import GetOrderRequest
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from tests.end_to_end.books import Books, close_all, read_books
from tests.end_to_end.followers import Followers
from tests.end_to_end.refusals import read, refusal
from tests.end_to_end.traders import STARTING_CASH, Sent, Traders
from tests.support.server import Client, Site

# Sums of products of numbers with 18 places each stay exact.
_PRECISION: Final = 80


async def audit(client: Client, traders: Traders, followers: Followers) -> Books:
    """Fails with what is wrong. Nobody trades any more; `followers` resume where they were cut off."""
    async with followers.following(client):
        await asyncio.gather(*(_is_still_there(client, sent) for sent in traders.acknowledged))
        await asyncio.gather(*(_repeat(client, sent) for sent in traders.sent))
        await close_all(client, traders.account_id)
        books = await read_books(client, traders.account_id)
        await followers.reach(books.portfolio.sequence)
    with localcontext(prec=_PRECISION):
        _sequences_are_dense(books)
        _each_client_id_has_one_order(books, traders.sent)
        _read_models_replay_the_journal(books)
        _nothing_is_doubled_at_the_broker(books)
        _children_fill_no_more_than_their_parents(books)
        _holdings_are_the_sum_of_the_fills(books)
        _streams_brought_all_of_it_once(books, followers)
    return books


async def restart_and_audit(site: Site, traders: Traders, followers: Followers) -> Books:
    with site.start() as server:
        async with server.client() as client:
            return await audit(client, traders, followers)


# -- what callers were told --------------------------------------------------------------------------------


async def _is_still_there(client: Client, sent: Sent) -> None:
    for order in placed_orders(sent.answer):
        request = GetOrderRequest(account_id=order.account_id, client_order_id=order.client_order_id)
        found = (await client.orders.GetOrder(request)).order
        assert found.order_id == order.order_id
        assert found.version >= order.version
        assert found.sequence >= order.sequence


async def _repeat(client: Client, sent: Sent) -> None:
    """The same request gives the same answer, or now the first one; only a refused group leaves no trace."""
    if sent.method == "PlaceOrderGroup" and sent.refusal is not None:
        return
    try:
        again = await getattr(client.orders, sent.method)(sent.request)
    except grpc.aio.AioRpcError as error:
        refused = refusal(error)
        if refused.reason != "RISK_CHECK_FAILED":
            raise
        assert sent.answer is None, "an acknowledged order is refused when it is repeated"
        if sent.refusal is not None:
            assert refused.metadata["order_id"] == sent.refusal.metadata["order_id"]
        sent.refusal = refused
    else:
        assert sent.refusal is None, "a refused order is accepted when it is repeated"
        if sent.answer is not None:
            _assert_replayed(sent.answer, again)
        sent.answer = again


def _assert_replayed(first: Any, again: Any) -> None:
    """`again` is `first`, with `replayed` in addition; a batch says so of each of its orders."""
    if not hasattr(first, "results"):
        assert again.replayed
        again.replayed = first.replayed
        assert again == first
        return
    for before, after in zip(first.results, again.results, strict=True):
        assert before.WhichOneof("outcome") == after.WhichOneof("outcome")
        if before.HasField("placed"):
            _assert_replayed(before.placed, after.placed)
        else:
            assert read(before.error).metadata["order_id"] == read(after.error).metadata["order_id"]


def placed_orders(answer: Any) -> list[Any]:
    """The orders in the answer to a placement."""
    if hasattr(answer, "results"):
        return [result.placed.order for result in answer.results if result.HasField("placed")]
    return list(answer.orders) if hasattr(answer, "orders") else [answer.order]


# -- what the books say ------------------------------------------------------------------------------------


def _sequences_are_dense(books: Books) -> None:
    assert [event.sequence for event in books.events] == list(range(1, len(books.events) + 1))
    assert books.portfolio.sequence == len(books.events)


def _each_client_id_has_one_order(books: Books, sent: Iterable[Sent]) -> None:
    of_answers = [order for one in sent if one.answer is not None for order in placed_orders(one.answer)]
    known = {order.client_order_id: order.order_id for order in books.orders}
    assert len(known) == len(books.orders)
    assert len({order.order_id for order in books.orders}) == len(books.orders)
    assert {order.client_order_id: order.order_id for order in of_answers}.items() <= known.items()
    placements = [event for event in books.events if event.order.order_id and event.order.version == 1]
    assert sorted(event.order.client_order_id for event in placements) == sorted(known)


def _read_models_replay_the_journal(books: Books) -> None:
    replayed = {event.order.order_id: event.order for event in books.events if event.HasField("order")}
    assert replayed == {order.order_id: order for order in books.orders}
    assert [fill for event in books.events for fill in _fills_in(event)] == books.fills


def _nothing_is_doubled_at_the_broker(books: Books) -> None:
    assert max(Counter(fill.execution_id for fill in books.fills).values(), default=1) == 1
    assert max(Counter(fill.fill_id for fill in books.fills).values(), default=1) == 1
    filled = _sums((fill.order_id, Decimal(fill.quantity)) for fill in books.fills)
    asked = _most_asked_for(books)
    for order in books.orders:
        assert filled.get(order.order_id, 0) == Decimal(order.filled_quantity) <= asked[order.order_id], order


def _most_asked_for(books: Books) -> dict[str, Decimal]:
    """The largest quantity of each order that a caller asked for: a replace may work though its answer was lost."""
    asked: dict[str, Decimal] = {}
    for event in books.events:
        order_id = event.order.order_id
        for quantity in (event.order.quantity, event.replace_requested.quantity):
            asked[order_id] = max(asked.get(order_id, Decimal(0)), Decimal(quantity or 0))
    return asked


def _children_fill_no_more_than_their_parents(books: Books) -> None:
    """In every group here the orders have the same quantity, so that also their fills can be compared."""
    by_id = {order.order_id: order for order in books.orders}
    for child in filter(lambda order: order.parent_order_id, books.orders):
        assert Decimal(child.filled_quantity) <= Decimal(by_id[child.parent_order_id].filled_quantity), child


def _holdings_are_the_sum_of_the_fills(books: Books) -> None:
    held = {position.symbol: Decimal(position.quantity) for position in books.portfolio.positions}
    assert held == _sums((fill.symbol, _signed(fill)) for fill in books.fills)
    moves = [("USD", Decimal(STARTING_CASH))]
    for fill in books.fills:
        moves.append((books.currencies[fill.symbol], -_signed(fill) * Decimal(fill.price)))
        moves.append((fill.fee_currency, -Decimal(fill.fee)))
    assert _sums((cash.currency, Decimal(cash.amount)) for cash in books.portfolio.cash) == _sums(moves)


def _streams_brought_all_of_it_once(books: Books, followers: Followers) -> None:
    assert followers.events == books.events
    assert followers.fills == books.fills


def _fills_in(event: Any) -> list[Fill]:
    return [event.filled.fill] if event.HasField("filled") else []


def _signed(fill: Fill) -> Decimal:
    return Decimal(fill.quantity) if fill.side == SIDE_BUY else -Decimal(fill.quantity)


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Totals by key; what comes to nothing is left out."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for key, amount in amounts:
        totals[key] += amount
    return {key: total for key, total in totals.items() if total}
