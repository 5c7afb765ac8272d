"""One account on a test's desk: its real book, fed by hand.

`Desk` does what an account's writer does, at once and without tasks: it brings in what a command needs, lets
it decide, commits what was recorded to an in-process store, and hands the broker its calls. The broker is a
script: it remembers what it was handed, and reports only what the test tells it to.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from adapters.clock import ManualClock
from application.ports.broker import BrokerCapabilities, BrokerUnavailable
from application.risk.controls import Controls
from application.risk.queries.check_order_query import CheckOrder
from application.trading.account_book import AccountBook
from application.trading.command import Command, OrderRef
from application.trading.commands.apply_report_command import ApplyReport
from application.trading.commands.cancel_order_command import CancelOrder
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.commands.place_order_group_command import PlacedGroup, PlaceOrderGroup
from application.trading.commands.replace_order_command import Change, ReplaceOrder
from application.trading.hydration import hydrate
from domain.errors import DomainError
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.quote import Quote
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.services.pre_trade_check import RuleResult
from domain.risk.value_objects.limits import SelfMatchAction
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import EXECUTIONS, ExecType, ExecutionReport
from domain.trading.value_objects.money import Money
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import GroupType, OrderType, Side, TimeInForce
from tests.support.records import Records, at_once, opened

R = TypeVar("R")

ACCOUNT = "desk"
START = datetime(2025, 6, 2, 14, 30, tzinfo=UTC)
D = Decimal


class SequentialIds:
    """Ids that a test can read: `order-1`, `order-2`, ... whatever they are for."""

    def __init__(self) -> None:
        self._made = 0

    def new_id(self) -> str:
        self._made += 1
        return f"id-{self._made:06}"


class SetQuotes:
    """LatestQuotes as the test sets them. `asked` lists what was asked to be made fresh.

    It has its quotes in memory, as the simulated market has, and wants only those in `stale`. `on_ensure` is what a
    provider does when it is asked: then it is stale no more.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._instruments: dict[str, Instrument] = {}
        self._quotes: dict[str, Quote] = {}
        self._history: dict[str, list[Quote]] = {}
        self.asked: list[str] = []
        self.stale: set[str] = set()
        self.on_ensure: Callable[[str], None] = lambda symbol: None

    def list(self, instrument: Instrument) -> None:
        self._instruments[instrument.symbol] = instrument

    def set(self, symbol: str, bid: str | Decimal, ask: str | Decimal | None = None) -> None:
        """A quote as of now, one price for both sides unless `ask` is given."""
        bid, ask = Decimal(bid), Decimal(bid if ask is None else ask)
        quote = self._quotes[symbol] = Quote(symbol, bid, D(100), ask, D(100), self._clock.now())
        self._history.setdefault(symbol, []).append(quote)

    def remove(self, symbol: str) -> None:
        del self._quotes[symbol]

    def forget(self, symbol: str) -> Instrument:
        """From now on the instrument is not known; given back for `list`."""
        return self._instruments.pop(symbol)

    def instrument(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol)

    def latest(self, symbol: str) -> Quote | None:
        return self._quotes.get(symbol)

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        since = self._clock.now() - timedelta(seconds=float(seconds))
        mids = [quote.mid for quote in self._history.get(symbol, ()) if quote.quote_time >= since]
        return (min(mids), max(mids)) if mids else None

    def wants(self, symbol: str) -> bool:
        return symbol in self.stale

    async def ensure(self, symbols: Collection[str]) -> None:
        self.asked += sorted(symbols)
        self.stale.difference_update(symbols)
        for symbol in symbols:
            self.on_ensure(symbol)


ABLE_TO_ALL = BrokerCapabilities(
    display_name="A script",
    asset_classes=frozenset(AssetClass),
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    native_groups=frozenset(),
    fractional_quantities=True,
    replace=True,
    short_selling=True,
    unique_client_ids=True,
    lookup_by_client_id=True,
)


class ScriptedBroker:
    """A broker that does nothing by itself. `handed` holds what it was given, as (verb, order id)."""

    def __init__(self, name: str = "scripted", capabilities: BrokerCapabilities = ABLE_TO_ALL) -> None:
        self.name = name
        self.capabilities = capabilities
        self.connected = False
        self.handed: list[tuple[str, str]] = []
        self.submitted: dict[str, Order] = {}
        self.working: list[Order] = []
        self.reachable = True
        self.asked: list[str] = []
        self.asked_for_executions: list[str] = []
        self.knows: dict[str, Sequence[ExecutionReport]] = {}
        self.sink: Callable[[ExecutionReport], None] = lambda report: None

    async def start(self, sink: Callable[[ExecutionReport], None], working: Sequence[Order]) -> None:
        self.sink, self.connected, self.working = sink, True, list(working)

    async def stop(self) -> None:
        self.connected = False

    def submit(self, order: Order) -> None:
        self.handed.append(("submit", order.order_id))
        self.submitted[order.order_id] = order

    def replace(self, order: Order, terms: OrderTerms, request_version: int) -> None:
        self.handed.append(("replace", order.order_id))

    def cancel(self, order: Order) -> None:
        self.handed.append(("cancel", order.order_id))

    async def find(self, order: Order) -> Sequence[ExecutionReport] | None:
        self.asked.append(order.order_id)
        if not self.reachable:
            raise BrokerUnavailable("the script says so")
        return self.knows.get(order.order_id)

    async def executions(self, account_id: str, since: datetime) -> Sequence[ExecutionReport]:
        self.asked_for_executions.append(account_id)
        if not self.reachable:
            raise BrokerUnavailable("the script says so")
        told = (report for reports in self.knows.values() for report in reports)
        return [r for r in told if r.account_id == account_id and r.type in EXECUTIONS and r.time >= since]

    def times(self, verb: str, order_id: str) -> int:
        return self.handed.count((verb, order_id))


def instrument(
    symbol: str,
    currency: str = "USD",
    *,
    tick: str = "0.01",
    lot: str = "1",
    smallest: str = "0",
    largest: str = "1000000000",
    asset_class: AssetClass = AssetClass.EQUITY,
    hours: TradingHours = ALWAYS_OPEN,
) -> Instrument:
    base_currency = symbol.split("/")[0] if "/" in symbol else None
    return Instrument(
        symbol, symbol, asset_class, currency, "TEST", D(tick), D(lot), D(smallest), D(largest), hours, base_currency
    )


def terms(
    client_order_id: str = "x",
    side: Side = Side.BUY,
    quantity: str | int | Decimal = 100,
    price: str | int | Decimal | None = 50,
    *,
    symbol: str = "ACME",
    **more: Any,
) -> OrderTerms:
    """A limit order at `price`, a market order with None, or what `more` says."""
    if "type" not in more:
        more["type"] = OrderType.MARKET if price is None else OrderType.LIMIT
    limit = None if price is None else D(price)
    return OrderTerms(client_order_id, symbol, side, D(quantity), limit_price=limit, **more)


def refusal_of(ask: Callable[[], object]) -> DomainError | None:
    """What `ask` is refused with, None when it is not."""
    try:
        ask()
    except DomainError as refused:
        return refused
    return None


class Desk:
    """The account's book with everything around it. Amounts are in USD unless the test says otherwise."""

    def __init__(
        self,
        cash: Mapping[str, str | int] | str | int = "100000000",
        *,
        broker: ScriptedBroker | None = None,
        **limits: Any,
    ) -> None:
        self.clock = ManualClock(START)
        self.ids = SequentialIds()
        self.quotes = SetQuotes(self.clock)
        self.quotes.list(instrument("ACME"))
        self.quotes.set("ACME", "50")
        self.broker = broker or ScriptedBroker()
        self.controls = Controls()
        amounts = cash if isinstance(cash, Mapping) else {"USD": cash}
        account = Account(ACCOUNT, self.broker.name, "USD", D(amounts.get("USD", 0)), START)
        paid_in = [Money(D(amount), currency) for currency, amount in amounts.items()]
        # Most tests are not about self-matches, and place what they need on both sides.
        limits.setdefault("self_match_action", SelfMatchAction.ALLOW)
        self.records = Records(opened(account, RiskProfile(ACCOUNT, **limits), paid_in))
        self.restart()

    def restart(self) -> None:
        """Forget the book and start again from what was committed."""
        self.book = AccountBook(self.records.snapshot(), self.broker, self.quotes, self.ids, self.controls)

    # -- commands -----------------------------------------------------------------------------------

    def run(self, command: Command[R]) -> R:
        """Decide `command`, then commit; a refusal commits too, as in the account's writer."""
        self.book.now, self.book.actor = self.clock.now(), command.actor
        at_once(hydrate(self.book, [command], self.records.journal, self.records.store))
        try:
            return command.decide(self.book)
        finally:
            self._commit()

    def _commit(self) -> None:
        batch, outbound = self.book.take()
        self.records.write(batch)
        self.book.committed = self.book.sequence
        self.book.forget_closed()
        for verb, *arguments in outbound:
            verb(*arguments)

    def place(self, order_terms: OrderTerms | None = None, **more: Any) -> Order:
        return self.run(PlaceOrder(ACCOUNT, "user:test", order_terms or terms(**more))).order

    def place_group(self, group_type: GroupType, *members: OrderTerms) -> PlacedGroup:
        paths = tuple(f"orders[{i}]" for i in range(len(members)))
        return self.run(PlaceOrderGroup(ACCOUNT, "user:test", group_type, members, paths))

    def check(self, **order: Any) -> dict[str, RuleResult]:
        """What every rule says of the order, by the rule's name."""
        answer = self.run(CheckOrder(ACCOUNT, "user:test", terms(**order)))
        return {result.rule: result for result in answer.check.results}

    def cancel(self, client_order_id: str = "x") -> Order:
        return self.run(CancelOrder(ACCOUNT, "user:test", OrderRef(client_order_id=client_order_id))).order

    def replace(self, client_order_id: str = "x", **change: Any) -> Order:
        command = ReplaceOrder(ACCOUNT, "user:test", OrderRef(client_order_id=client_order_id), Change(**change))
        return self.run(command).order

    # -- reports ------------------------------------------------------------------------------------

    def order(self, client_order_id: str = "x") -> Order:
        return self.records.by_client_id(client_order_id)

    def says(self, type: ExecType, client_order_id: str = "x", **details: Any) -> ExecutionReport:
        """A report about the order as it now stands; a replace is answered for the version that is pending."""
        order = self.order(client_order_id)
        if type in (ExecType.REPLACED, ExecType.REPLACE_REJECTED):
            details.setdefault("request_version", order.replace_version)
        return ExecutionReport(ACCOUNT, order.order_id, type, self.clock.now(), **details)

    def tell(self, report: ExecutionReport) -> None:
        self.run(ApplyReport(report, "broker:scripted"))

    def report(self, type: ExecType, client_order_id: str = "x", **details: Any) -> None:
        self.tell(self.says(type, client_order_id, **details))

    def trade(
        self,
        execution_id: str,
        quantity: str | int | Decimal,
        price: str | int | Decimal = 50,
        client_order_id: str = "x",
        **details: Any,
    ) -> None:
        details |= {"execution_id": execution_id, "quantity": D(quantity), "price": D(price)}
        self.report(ExecType.TRADE, client_order_id, **details)
