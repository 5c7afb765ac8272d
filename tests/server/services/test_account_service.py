"""Accounts, portfolios and positions over the wire."""

from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from domain.trading.value_objects.execution_report import ExecType
from quantmesh.trading.v1 import account_pb2
from quantmesh.trading.v1.account_service_pb2 import (
    CreateAccountRequest,
    GetAccountRequest,
    GetPortfolioRequest,
    ListAccountsRequest,
    ListPositionsRequest,
    StreamPortfolioRequest,
)
from quantmesh.type.v1 import trading_state_pb2
from quantmesh.type.v1.side_pb2 import SIDE_SELL
from tests.server.rig import ACCOUNT, Rig, kinds, refusal, rest, scripted, take, within

CODE = grpc.StatusCode
SOON = Duration(nanos=100_000_000)


def creation(**other: Any) -> CreateAccountRequest:
    fields = {"account_id": "new", "broker": "scripted", "base_currency": "USD", "starting_cash": "1000.50"}
    return CreateAccountRequest(**fields | other)


async def traded(rig: Rig, client_order_id: str, at: int = 50, **more: Any) -> None:
    order = await rig.place(client_order_id, **more)
    rig.tell(order, ExecType.NEW)
    rig.fill(order, f"of {client_order_id}", 100, at)
    await rig.settled()


async def test_an_account_is_created_once_and_may_be_created_again_with_the_same_content() -> None:
    async with scripted(account=False) as rig:
        created = await rig.client.accounts.CreateAccount(creation())
        account = created.account
        assert (account.account_id, account.broker, account.base_currency) == ("new", "scripted", "USD")
        assert (account.starting_cash, account.sequence, created.replayed) == ("1000.5", 1, False)
        assert account.status == account_pb2.ACCOUNT_STATUS_ACTIVE
        assert account.trading_state == trading_state_pb2.TRADING_STATE_ACTIVE
        again = await rig.client.accounts.CreateAccount(creation(starting_cash="1000.500"))
        assert (again.account, again.replayed) == (account, True)
        got = await rig.client.accounts.GetAccount(GetAccountRequest(account_id="new"))
        assert got.account == account


@pytest.mark.parametrize("other", [{"base_currency": "EUR"}, {"starting_cash": "1"}], ids=str)
async def test_an_account_id_with_other_content_is_refused(other: dict[str, str]) -> None:
    async with scripted(account=False) as rig:
        await rig.client.accounts.CreateAccount(creation())
        refused = await refusal(rig.client.accounts.CreateAccount(creation(**other)))
        assert (refused.code, refused.reason) == (CODE.ALREADY_EXISTS, "ACCOUNT_ALREADY_EXISTS")
        assert refused.metadata == {"account_id": "new"}


async def test_a_broker_that_is_not_configured_is_not_found() -> None:
    async with scripted(account=False) as rig:
        refused = await refusal(rig.client.accounts.CreateAccount(creation(broker="alpaca")))
        assert (refused.code, refused.reason) == (CODE.NOT_FOUND, "BROKER_NOT_FOUND")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_id", ""),
        ("account_id", "-x"),
        ("account_id", "x" * 65),
        ("account_id", "a/b"),
        ("broker", ""),
        ("broker", "Paper"),
        ("base_currency", "usd"),
        ("starting_cash", "-1"),
        ("starting_cash", "1e3"),
        ("starting_cash", "0.1234567890123456789"),
        ("starting_cash", "123456789012345678901"),
    ],
)
async def test_malformed_accounts_are_refused_by_their_field(field: str, value: str) -> None:
    async with scripted(account=False) as rig:
        refused = await refusal(rig.client.accounts.CreateAccount(creation(**{field: value})))
        assert (refused.code, refused.reason) == (CODE.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert list(refused.fields) == [field]
        listed = await rig.client.accounts.ListAccounts(ListAccountsRequest())
        assert list(listed.accounts) == []


async def test_accounts_are_listed_by_id_page_by_page() -> None:
    async with scripted(account=False) as rig:
        for name in ("c", "a", "b"):
            await rig.create(name)
        page = await rig.client.accounts.ListAccounts(ListAccountsRequest(page_size=2))
        assert [account.account_id for account in page.accounts] == ["a", "b"]
        rest_of_it = ListAccountsRequest(page_token=page.next_page_token)
        last = await rig.client.accounts.ListAccounts(rest_of_it)
        assert ([account.account_id for account in last.accounts], last.next_page_token) == (["c"], "")


async def test_a_broker_that_is_gone_shows_in_the_account() -> None:
    async with scripted() as rig:
        rig.broker.connected = False
        got = await rig.client.accounts.GetAccount(GetAccountRequest(account_id=ACCOUNT))
        assert got.account.status == account_pb2.ACCOUNT_STATUS_BROKER_DISCONNECTED


async def test_a_portfolio_counts_cash_positions_and_open_orders() -> None:
    async with scripted() as rig:
        await traded(rig, "buy")
        rig.quotes.set("ACME", "51", "53")
        await rig.place("open", price="40")
        answer = await rig.client.accounts.GetPortfolio(GetPortfolioRequest(account_id=ACCOUNT))
        held = answer.portfolio
        assert (held.base_currency, held.equity, held.fees) == ("USD", "1000199.9", "0.1")
        assert (held.realized_pnl, held.unrealized_pnl) == ("0", "200")
        assert (held.gross_exposure, held.net_exposure, held.margin_used) == ("5200", "5200", "5200")
        assert (held.reserved, held.buying_power) == ("4000", "990999.9")
        [cash] = held.cash
        assert (cash.currency, cash.amount, cash.reserved, cash.available, cash.base_rate) == (
            *("USD", "994999.9", "4000", "990999.9", "1"),
        )
        [position] = held.positions
        assert (position.symbol, position.quantity, position.average_price) == ("ACME", "100", "50")
        assert (position.cost_basis, position.market_value, position.mark_price) == ("5000", "5200", "52")
        assert (held.sequence, position.sequence) == (5, 4)


async def test_a_missing_price_empties_what_needs_it_and_is_named() -> None:
    async with scripted() as rig:
        await traded(rig, "buy")
        rig.quotes.remove("ACME")
        held = (await rig.client.accounts.GetPortfolio(GetPortfolioRequest(account_id=ACCOUNT))).portfolio
        assert (held.equity, held.buying_power, held.unrealized_pnl) == ("", "", "")
        assert list(held.missing_prices) == ["ACME"]
        assert (held.positions[0].market_value, held.positions[0].quantity) == ("", "100")


async def test_positions_are_listed_by_symbol_and_flat_ones_only_when_asked_for() -> None:
    async with scripted() as rig:
        await traded(rig, "a")
        await traded(rig, "b", 20, symbol="BOLT", price="20")
        await traded(rig, "c", 21, symbol="BOLT", price="20", side=SIDE_SELL)

        async def symbols(**where: Any) -> list[str]:
            answer = await rig.client.accounts.ListPositions(ListPositionsRequest(account_id=ACCOUNT, **where))
            assert answer.sequence == 10
            return [position.symbol for position in answer.positions]

        assert await symbols() == ["ACME"]
        assert await symbols(include_flat=True) == ["ACME", "BOLT"]
        assert await symbols(include_flat=True, symbol="BOLT") == ["BOLT"]
        page = await rig.client.accounts.ListPositions(
            ListPositionsRequest(account_id=ACCOUNT, include_flat=True, page_size=1)
        )
        assert await symbols(include_flat=True, page_token=page.next_page_token) == ["BOLT"]
        [flat] = (
            await rig.client.accounts.ListPositions(
                ListPositionsRequest(account_id=ACCOUNT, include_flat=True, symbol="BOLT")
            )
        ).positions
        assert (flat.quantity, flat.average_price, flat.realized_pnl) == ("0", "", "100")
        assert (flat.market_value, flat.unrealized_pnl, flat.cost_basis) == ("0", "0", "0")


async def test_the_portfolio_stream_sends_the_state_at_once_and_then_only_changes() -> None:
    async with scripted() as rig:
        stream = rig.client.accounts.StreamPortfolio(
            StreamPortfolioRequest(account_id=ACCOUNT, min_interval=Duration(nanos=50_000_000), heartbeat_interval=SOON)
        )
        first, silence = await take(stream, 2)
        assert kinds([first, silence]) == ["portfolio", "heartbeat"]
        assert (first.portfolio.equity, silence.heartbeat.sequence) == ("1000000", 1)
        await traded(rig, "buy")
        changed = await within(stream.read())
        while changed.WhichOneof("message") != "portfolio" or not changed.portfolio.positions:
            changed = await within(stream.read())
        assert changed.portfolio.positions[0].quantity == "100"
        rig.quotes.set("ACME", "60")
        repriced = await within(stream.read())
        while repriced.WhichOneof("message") != "portfolio":
            repriced = await within(stream.read())
        assert repriced.portfolio.unrealized_pnl == "1000"


async def test_the_portfolio_stream_conflates_and_says_goodbye() -> None:
    async with scripted() as rig:
        stream = rig.client.accounts.StreamPortfolio(
            StreamPortfolioRequest(account_id=ACCOUNT, min_interval=Duration(seconds=60))
        )
        await within(stream.read())
        await traded(rig, "buy")
        await rig.stop()
        assert kinds(await rest(stream)) == ["goodbye"]
        assert await stream.code() is CODE.OK


@pytest.mark.parametrize(
    ("rpc", "message"),
    [
        ("GetAccount", GetAccountRequest),
        ("GetPortfolio", GetPortfolioRequest),
        ("ListPositions", ListPositionsRequest),
        ("StreamPortfolio", StreamPortfolioRequest),
    ],
)
async def test_an_unknown_account_is_denied(rpc: str, message: Any) -> None:
    async with scripted() as rig:
        denied = await refusal(getattr(rig.client.accounts, rpc)(message(account_id="nobody")))
        assert (denied.code, denied.reason) == (CODE.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
        malformed = await refusal(getattr(rig.client.accounts, rpc)(message(account_id="")))
        assert list(malformed.fields) == ["account_id"]
