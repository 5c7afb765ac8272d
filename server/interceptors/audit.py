"""The audit's side of a call that changes something: whatever becomes of the call, it leaves one record.

A call that an account's writer decides is recorded there, in the transaction of the change; all others are recorded
here, before they are answered. A call that is refused because the server stops changes nothing and leaves none; nor
does one that only validates.
"""

import asyncio
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from application.audit import Call, CallKind, current_call
from application.ports.clock import Clock
from application.ports.ids import IdGenerator
from application.ports.journal import Batch
from domain.errors import DomainError, InvalidArgument, Unavailable
from server.errors import status_of
from server.interceptors.tracking import Lifecycle
from server.mapping.common import ANONYMOUS, actor_of

CarryOut: TypeAlias = Callable[[Any, Any], Awaitable[Any]]
_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_ORDERS: Final = "quantmesh.trading.v1.OrderService"
_RISK: Final = "quantmesh.risk.v1.RiskService"
_MARKET_DATA: Final = "quantmesh.marketdata.v1.MarketDataService"
SESSION: Final = f"{_ORDERS}/OrderSession"

# Unary calls by their full names. Each command of an OrderSession is a call of its own, recorded as SESSION.
_BY_ACCOUNTS: Final = frozenset(
    {
        f"{_ORDERS}/PlaceOrder",
        f"{_ORDERS}/PlaceOrders",
        f"{_ORDERS}/PlaceOrderGroup",
        f"{_ORDERS}/ReplaceOrder",
        f"{_ORDERS}/CancelOrder",
        f"{_ORDERS}/CancelOrders",
        f"{_RISK}/UpdateRiskProfile",
    }
)
_BY_OTHERS: Final = frozenset(
    {
        "quantmesh.trading.v1.AccountService/CreateAccount",
        f"{_RISK}/UpdateFirmRiskProfile",
        f"{_RISK}/SetTradingState",
        f"{_RISK}/EngageKillSwitch",
        f"{_RISK}/ReleaseKillSwitch",
        f"{_RISK}/ArmDeadManSwitch",
        f"{_RISK}/RefreshDeadManSwitch",
        f"{_RISK}/DisarmDeadManSwitch",
        f"{_MARKET_DATA}/StartBackfill",
        f"{_MARKET_DATA}/CancelBackfill",
        f"{_MARKET_DATA}/ResumeBackfill",
    }
)
AUDITED: Final = _BY_ACCOUNTS | _BY_OTHERS


class Audit:
    """Makes the calls of a process, and records those that nobody else has."""

    def __init__(self, write: Callable[[Batch], Awaitable[None]], clock: Clock, ids: IdGenerator) -> None:
        """`write` commits a batch; it raises Unavailable when it can't."""
        self._write = write
        self._clock = clock
        self._ids = ids

    def kind(self, rpc: str, explain: Callable[[DomainError], bytes] | None = None) -> CallKind:
        """What the calls of that name are made of."""
        return CallKind(rpc, rpc not in _BY_OTHERS, explain or explained, self._ids)

    async def settle(self, call: Call, error: DomainError | None) -> None:
        """Record how `call` ended, unless it is recorded; raises Unavailable.

        Should a decision be stored though its commit seemed to fail, it has the same id, and stays.
        """
        if not is_settled(call, error):
            await self._write(Batch(audit=[call.decided(self._clock.now(), 0, error)]))


def is_settled(call: Call, error: DomainError | None) -> bool:
    """Whether `call`, which ended so, is recorded: a decision is not when its commit has failed."""
    return call.record is not None and not isinstance(error, Unavailable)


def fault() -> DomainError:
    """For a call that has failed by a defect of the server."""
    return DomainError("internal error: the server's log tells more")


def explained(error: DomainError) -> bytes:
    return status_of(error).SerializeToString()


def audited(method: MethodDescriptor, carry_out: CarryOut, audit: Audit, lifecycle: Lifecycle) -> CarryOut:
    """`carry_out`, which may only raise DomainErrors, with a record for each call. It takes pairs of the request, or
    why it could not be read, and its bytes.
    """
    rpc = f"{method.containing_service.full_name}/{method.name}"
    fields = method.input_type.fields_by_name
    kind, account_of, reason_of = audit.kind(rpc), _account_of(fields), _reason_of(fields)
    may_validate = "validate_only" in fields

    async def recorded(received: tuple[Any, bytes], context: _Context) -> Any:
        request, data = received
        account_id = reason = ""
        if not isinstance(request, DomainError):
            if may_validate and request.validate_only:
                return await carry_out(request, context)
            account_id, reason = account_of(request), reason_of(request)
        call = Call(kind, _known_actor(context), context.peer(), data, account_id, reason)
        current_call.set(call)
        try:
            answer = await carry_out(request, context)
        except DomainError as error:
            await audit.settle(call, error)
            raise
        if call.record is None:
            await audit.settle(call, None)
        return answer

    if rpc in _BY_ACCOUNTS:
        return recorded  # what the account has got it decides and records, also for a caller that is gone

    async def to_its_end(received: tuple[Any, bytes], context: _Context) -> Any:
        return await unless_abandoned(recorded(received, context), lifecycle, rpc)

    return to_its_end


def unless_abandoned(work: Awaitable[Any], lifecycle: Lifecycle, name: str) -> asyncio.Future[Any]:
    """The outcome of `work`, which goes on to its end though nobody may wait for it any more."""
    outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        try:
            answer = await work
        except Exception as error:
            if not outcome.done():
                outcome.set_exception(error)
        else:
            if not outcome.done():
                outcome.set_result(answer)

    lifecycle.finish(run(), name)
    return outcome


def _known_actor(context: _Context) -> str:
    try:
        return actor_of(context)
    except InvalidArgument:
        return ANONYMOUS  # the call is refused for it


def _account_of(fields: Any) -> Callable[[Any], str]:
    if "account_id" in fields:
        return attrgetter("account_id")
    if "scope" in fields:
        return lambda request: _account_of_scope(request.scope)
    return lambda request: ""


def _account_of_scope(scope: Any) -> str:
    target = scope.WhichOneof("target")
    if target == "account_id":
        return str(scope.account_id)
    narrowed: Message | None = getattr(scope, target) if target else None
    return str(getattr(narrowed, "account_id", ""))


def _reason_of(fields: Any) -> Callable[[Any], str]:
    return attrgetter("reason") if "reason" in fields else lambda request: ""
