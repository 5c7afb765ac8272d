"""Accounts and what they hold."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Final

from application.trading.commands.create_account_command import CreateAccount, CreateAccountHandler
from application.trading.queries.get_portfolio_query import GetPortfolio, PortfolioView
from application.trading.trading_engine import TradingEngine
from quantmesh.trading.v1 import account_service_pb2 as pb
from quantmesh.type.v1 import stream_pb2
from server.interceptors.handlers import Context
from server.interceptors.tracking import Lifecycle
from server.mapping.accounts import account_message, portfolio_message, position_message
from server.mapping.common import actor_of, seconds_or
from server.paging import page_of
from server.streams import Pause, heartbeat_of, paced

_MIN_INTERVAL_SECONDS: Final = 1.0


class AccountService:
    """RPCs of quantmesh.trading.v1.AccountService."""

    def __init__(self, engine: TradingEngine, create_account: CreateAccountHandler, lifecycle: Lifecycle) -> None:
        self._engine = engine
        self._create_account = create_account
        self._lifecycle = lifecycle

    async def CreateAccount(self, request: pb.CreateAccountRequest, context: Context) -> pb.CreateAccountResponse:
        created = await self._create_account(
            CreateAccount(
                request.account_id,
                actor_of(context),
                request.broker,
                request.base_currency,
                Decimal(request.starting_cash or 0),
            )
        )
        account = account_message(self._engine.writer(request.account_id))
        return pb.CreateAccountResponse(account=account, replayed=created.replayed)

    async def GetAccount(self, request: pb.GetAccountRequest, context: Context) -> pb.GetAccountResponse:
        return pb.GetAccountResponse(account=account_message(self._engine.writer(request.account_id)))

    async def ListAccounts(self, request: pb.ListAccountsRequest, context: Context) -> pb.ListAccountsResponse:
        page = page_of(request)
        found = await self._engine.store.accounts(page.key, page.fetch)
        accounts, next_page_token = page.cut(found, lambda account: account.account_id)
        known = (account.account_id for account in accounts if self._engine.has(account.account_id))
        return pb.ListAccountsResponse(
            accounts=[account_message(self._engine.writer(account_id)) for account_id in known],
            next_page_token=next_page_token,
        )

    async def GetPortfolio(self, request: pb.GetPortfolioRequest, context: Context) -> pb.GetPortfolioResponse:
        view = await self._engine.execute(GetPortfolio(request.account_id, actor_of(context)))
        return pb.GetPortfolioResponse(portfolio=portfolio_message(view))

    async def ListPositions(self, request: pb.ListPositionsRequest, context: Context) -> pb.ListPositionsResponse:
        page = page_of(request)
        view = await self._engine.execute(GetPortfolio(request.account_id, actor_of(context)))
        found = [
            valued
            for valued in view.positions
            if valued.position.symbol > page.key
            and request.symbol in ("", valued.position.symbol)
            and (request.include_flat or valued.position.quantity)
        ]
        positions, next_page_token = page.cut(found, lambda valued: valued.position.symbol)
        return pb.ListPositionsResponse(
            positions=map(position_message, positions), next_page_token=next_page_token, sequence=view.sequence
        )

    async def StreamPortfolio(
        self, request: pb.StreamPortfolioRequest, context: Context
    ) -> AsyncIterator[pb.StreamPortfolioResponse]:
        feed = self._engine.writer(request.account_id).feed
        source = self._portfolios(request, actor_of(context))
        async with aclosing(paced(source, heartbeat_of(request), self._lifecycle)) as messages:  # type: ignore[type-var]
            async for message in messages:
                yield _response(message, feed.last_sequence)

    async def _portfolios(self, request: pb.StreamPortfolioRequest, actor: str) -> AsyncIterator[PortfolioView]:
        """The newest state, whenever it differs from the one before and the reader has taken that."""
        interval = seconds_or(request, "min_interval", _MIN_INTERVAL_SECONDS)
        last = None
        while True:
            view = await self._engine.execute(GetPortfolio(request.account_id, actor))
            # The moment and the sequence move on also when nothing in the portfolio does.
            content = replace(view, as_of=view.as_of.min, sequence=0)
            if content != last:
                yield view
                last = content
            await asyncio.sleep(interval)


def _response(message: PortfolioView | Pause, sequence: int) -> pb.StreamPortfolioResponse:
    if isinstance(message, PortfolioView):
        return pb.StreamPortfolioResponse(portfolio=portfolio_message(message))
    if message is Pause.GOODBYE:
        return pb.StreamPortfolioResponse(goodbye=stream_pb2.Goodbye(sequence=sequence))
    return pb.StreamPortfolioResponse(heartbeat=stream_pb2.Heartbeat(sequence=sequence))
