"""What a session's messages ask for, and how their outcomes are told."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from google.rpc.status_pb2 import Status

from application.trading.command import Command
from application.trading.commands.cancel_orders_command import CanceledOrders
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.placement import Placed
from domain.errors import DomainError, InvalidArgument
from quantmesh.trading.v1 import order_session_pb2 as pb
from server.errors import InvalidRequest, status_of
from server.mapping.orders import order_message, order_terms
from server.mapping.placement import cancel_order, cancel_orders, cancel_results, replace_order


class OutOfPlace(InvalidArgument):
    """A message that came where it may not."""

    reason = "COMMAND_OUT_OF_PLACE"


class SessionCommand(NamedTuple):
    """How the message of one field becomes a command, and the command's outcome fields of the answer."""

    command: Callable[[str, pb.OrderSessionRequest, str], Command[Any]]
    answer: Callable[[Any], dict[str, Any]]


def _done(placed: Placed) -> dict[str, Any]:
    order = order_message(placed.order)
    return {"done": pb.CommandDone(order=order, replayed=placed.replayed, sequence=placed.sequence)}


def _all_canceled(canceled: CanceledOrders) -> dict[str, Any]:
    return {"cancel_all_done": pb.CancelAllDone(results=cancel_results(canceled), sequence=canceled.sequence)}


def _place(account_id: str, request: pb.OrderSessionRequest, actor: str) -> PlaceOrder:
    return PlaceOrder(account_id, actor, order_terms(request.place.order))


# By the field of the oneof `command`, for those that the account decides.
COMMANDS: Final[dict[str | None, SessionCommand]] = {
    "place": SessionCommand(_place, _done),
    "replace": SessionCommand(lambda account, request, actor: replace_order(account, request.replace, actor), _done),
    "cancel": SessionCommand(lambda account, request, actor: cancel_order(account, request.cancel, actor), _done),
    "cancel_all": SessionCommand(
        lambda account, request, actor: cancel_orders(account, request.cancel_all, actor), _all_canceled
    ),
}


def error_of(error: DomainError, field: str | None) -> Status:
    """The status of a failed command; paths are told as they stand in a session's message."""
    if isinstance(error, InvalidArgument) and not isinstance(error, InvalidRequest | OutOfPlace) and field:
        error = InvalidArgument(f"{field}.{error.field}", error.rule)
    return status_of(error)


def explained(error: DomainError, field: str | None) -> bytes:
    """The same for the audit."""
    return error_of(error, field).SerializeToString()
