"""Kill -9 at each named point on the way of an order: nothing acknowledged is lost, nothing is doubled."""

import signal
from pathlib import Path
from typing import Final

import pytest

from quantmesh.trading.v1.order_pb2 import CANCEL_REASON_NEVER_SUBMITTED
from tests.end_to_end.audit import restart_and_audit
from tests.end_to_end.followers import Followers
from tests.end_to_end.traders import Traders
from tests.support.postgres import postgres_server
from tests.support.server import Site

# Several processes one after the other, on a machine that may have others to serve.
pytestmark = pytest.mark.timeout(180)

_IN_THE_STORE: Final = ("journal_begin", "journal_insert", "journal_commit")
_AROUND_IT: Final = ("ack", "broker_send", "report_applied")
# Far enough into the load that every caller has something under way.
_TIMES: Final = 50


def _before_and_after(points: tuple[str, ...]) -> list[str]:
    return [f"{point}{side}" for point in points for side in ("", "_done")]


@pytest.mark.parametrize("point", _before_and_after((*_IN_THE_STORE, *_AROUND_IT)))
async def test_a_server_that_dies_at_a_named_point_loses_and_doubles_nothing(point: str, tmp_path: Path) -> None:
    await _die_and_audit(Site(tmp_path), point)


@pytest.mark.parametrize("point", _before_and_after(_IN_THE_STORE))
async def test_nor_does_it_on_postgresql(point: str, tmp_path: Path) -> None:
    await _die_and_audit(Site(tmp_path, database=postgres_server().new_database()), point)


async def _die_and_audit(site: Site, point: str) -> None:
    traders = Traders()
    followers = Followers(traders.account_id)
    with site.start(crash_at=f"{point}:{_TIMES}") as server:
        async with server.client() as client:
            await traders.open_account(client)
            async with followers.following(client):
                await traders.trade(client)
        assert server.exit_status() == -signal.SIGKILL
    assert traders.acknowledged
    assert any(one.cut_off for one in traders.sent)
    books = await restart_and_audit(site, traders, followers)
    # The outage was short, so what had not reached the broker was sent, and not given up.
    assert not [order for order in books.orders if order.cancel_reason == CANCEL_REASON_NEVER_SUBMITTED]
