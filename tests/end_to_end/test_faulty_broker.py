"""A broker that delays, repeats, reorders and loses its answers: every order settles, and none is doubled."""

from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.audit import audit
from tests.end_to_end.faults import FAULTS
from tests.end_to_end.followers import Followers
from tests.end_to_end.traders import Traders
from tests.support.server import Site

# Several processes one after the other, on a machine that may have others to serve.
pytestmark = pytest.mark.timeout(180)

_STEPS = 100


async def test_all_orders_settle_and_the_books_stay_true(tmp_path: Path) -> None:
    traders = Traders()
    followers = Followers(traders.account_id)
    with Site(tmp_path, settings=FAULTS).start() as server:
        async with server.client() as client:
            await traders.open_account(client)
            await traders.trade(client, _STEPS)
            books = await audit(client, traders, followers)
    assert len(books.orders) > 300
    assert len(books.fills) > 100
    happened = Counter(event.WhichOneof("event") for event in books.events)
    assert happened["submission_unknown"] > 10
    assert happened["submission_resolved"] == happened["submission_unknown"]
