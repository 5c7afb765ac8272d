"""Accounts, what they hold, and the brokers they trade through."""

from typing import Any, Final

from application.ports.broker import Broker
from application.risk.queries.get_risk_profile_query import trading_state_of
from application.trading.account_writer import AccountWriter
from application.trading.queries.get_portfolio_query import CashView, PortfolioView, ValuedPosition
from domain.decimals import ZERO, plain
from domain.market_data.instrument import AssetClass
from domain.risk.services.margin import Margin
from domain.trading.value_objects.order_type import OrderType
from quantmesh.marketdata.v1 import instrument_pb2
from quantmesh.trading.v1 import account_pb2, broker_pb2, portfolio_pb2
from server.mapping.common import enum_table, settled_or_empty, to_optional_timestamp, to_timestamp
from server.mapping.orders import GROUP_TYPES, TIMES_IN_FORCE
from server.mapping.risk import TRADING_STATES

_ORDER_KINDS: Final = enum_table(broker_pb2.OrderKind, OrderType, "ORDER_KIND")
_ASSET_CLASSES: Final = enum_table(instrument_pb2.AssetClass, AssetClass, "ASSET_CLASS")


def account_message(writer: AccountWriter) -> account_pb2.Account:
    """The account as it stands."""
    account = writer.account
    return account_pb2.Account(
        account_id=account.account_id,
        broker=account.broker,
        base_currency=account.base_currency,
        starting_cash=plain(account.starting_cash),
        created_time=to_timestamp(account.created_time),
        status=_account_status(writer),
        trading_state=TRADING_STATES[trading_state_of(writer.book)],
        sequence=writer.feed.last_sequence,
    )


def _account_status(writer: AccountWriter) -> Any:
    if writer.recovering:
        return account_pb2.ACCOUNT_STATUS_RECOVERING
    if not writer.broker.connected:
        return account_pb2.ACCOUNT_STATUS_BROKER_DISCONNECTED
    return account_pb2.ACCOUNT_STATUS_ACTIVE


def portfolio_message(view: PortfolioView) -> portfolio_pb2.Portfolio:
    """The portfolio; totals that cannot be told are empty."""
    return portfolio_pb2.Portfolio(
        account_id=view.account_id,
        base_currency=view.base_currency,
        cash=[_cash_message(cash) for cash in view.cash],
        realized_pnl=settled_or_empty(view.realized_pnl),
        unrealized_pnl=settled_or_empty(view.unrealized_pnl),
        fees=settled_or_empty(view.fees),
        positions=[position_message(held) for held in view.positions if held.position.quantity],
        missing_prices=view.missing,
        as_of_time=to_timestamp(view.as_of),
        sequence=view.sequence,
        **_margin_totals(view.margin),
    )


def _margin_totals(margin: Margin | None) -> dict[str, Any]:
    if margin is None:
        return {}
    return {
        "equity": settled_or_empty(margin.equity),
        "buying_power": settled_or_empty(margin.buying_power),
        "reserved": settled_or_empty(margin.reserved),
        "margin_used": settled_or_empty(margin.gross),
        "gross_exposure": settled_or_empty(margin.gross),
        "net_exposure": settled_or_empty(margin.net),
    }


def _cash_message(cash: CashView) -> portfolio_pb2.CashBalance:
    return portfolio_pb2.CashBalance(
        currency=cash.currency,
        amount=plain(cash.amount),
        reserved=settled_or_empty(cash.reserved),
        available=settled_or_empty(cash.amount - cash.reserved),
        base_rate=settled_or_empty(cash.base_rate),
    )


def position_message(valued: ValuedPosition) -> portfolio_pb2.Position:
    """The position at its mark; what needs a mark is empty without one."""
    position, mark = valued.position, valued.mark_price
    value = pnl = None if position.quantity else ZERO
    if mark is not None:
        value, pnl = position.quantity * mark, position.unrealized_pnl(mark)
    return portfolio_pb2.Position(
        symbol=position.symbol,
        quantity=plain(position.quantity),
        average_price=plain(position.average_price) if position.quantity else "",
        realized_pnl=plain(position.realized_pnl),
        unrealized_pnl=settled_or_empty(pnl),
        market_value=settled_or_empty(value),
        account_id=position.account_id,
        currency=position.currency,
        cost_basis=settled_or_empty(position.quantity * position.average_price),
        mark_price=settled_or_empty(mark),
        mark_time=to_optional_timestamp(valued.mark_time),
        fees=plain(position.fees),
        fee_currency=position.currency,
        opened_time=to_optional_timestamp(position.opened_time),
        updated_time=to_optional_timestamp(position.updated_time),
        sequence=position.sequence,
    )


def broker_message(broker: Broker) -> broker_pb2.Broker:
    can = broker.capabilities
    return broker_pb2.Broker(
        broker=broker.name,
        display_name=can.display_name,
        connected=broker.connected,
        simulated=can.simulated,
        order_types=sorted(_ORDER_KINDS[kind] for kind in can.order_types),
        times_in_force=sorted(TIMES_IN_FORCE[tif] for tif in can.times_in_force),
        native_groups=sorted(GROUP_TYPES[group] for group in can.native_groups),
        fractional_quantities=can.fractional_quantities,
        client_order_ids=can.unique_client_ids and can.lookup_by_client_id,
        replace_in_place=can.replace,
        replace=can.replace,
        short_selling=can.short_selling,
        post_only=can.post_only,
        reduce_only=can.reduce_only,
        asset_classes=sorted(_ASSET_CLASSES[asset] for asset in can.asset_classes),
    )
