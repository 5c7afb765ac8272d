"""The contract's services as gRPC handlers: each call is checked, tracked, and fails as the contract says.

A behaviour is wrapped once, when its service is registered: an interceptor would cost every call again. A servicer
is any object whose methods carry the RPC's names:

    async def GetThing(self, request, context) -> Response
    async def StreamThings(self, request, context) -> AsyncIterator[Response | bytes]       (a generator)
    async def Talk(self, requests, context) -> AsyncIterator[Response | bytes]               (a generator)

`requests` yields Received. A refusal is a raised DomainError. Bytes are a response that is serialized already.
"""

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from domain.errors import DomainError, TooLarge
from server.errors import (
    DETAILS_KEY,
    Defect,
    FieldViolation,
    InvalidRequest,
    NotImplementedHere,
    code_of,
    status_of,
)
from server.interceptors.audit import AUDITED, Audit, CarryOut, audited
from server.interceptors.tracking import Lifecycle
from server.interceptors.validation import first_violation, invalid

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_log = logging.getLogger(__name__)

RequestT = TypeVar("RequestT", bound=Message)


class Received(NamedTuple, Generic[RequestT]):
    """One message of a caller's stream, and its bytes. With an `error` it is not to be acted on; `message` is what
    could be read.
    """

    message: RequestT
    error: DomainError | None
    data: bytes


_LARGEST_REQUEST: Final = 4 * 1024 * 1024


def _undecodable() -> InvalidRequest:
    return InvalidRequest([FieldViolation("request", "the bytes are no valid message of this type")])


def _too_large(size: int) -> TooLarge:
    return TooLarge(f"the message has {size} bytes, of {_LARGEST_REQUEST} at most", size=str(size))


def service_handlers(
    service: ServiceDescriptor,
    servicer: object,
    lifecycle: Lifecycle,
    audit: Audit | None = None,
    *,
    while_stopping: bool = False,
) -> dict[str, Handler]:
    """Handlers by full method name; a method that `servicer` lacks answers UNIMPLEMENTED.

    `audit` records the calls that are AUDITED. `while_stopping`: calls are taken also while the server stops, and not
    waited for.
    """
    tracked = Lifecycle() if while_stopping else lifecycle
    return {
        f"/{service.full_name}/{method.name}": _handler(method, servicer, tracked, audit) for method in service.methods
    }


def _handler(method: MethodDescriptor, servicer: object, lifecycle: Lifecycle, audit: Audit | None) -> Handler:
    name = f"{method.containing_service.full_name}/{method.name}"
    behaviour = getattr(servicer, method.name, None)
    if behaviour is None:
        return _refusing(f"{name} is not built yet")
    if audit is not None and name in AUDITED:
        carry_out = audited(method, _carried_out(method, behaviour), audit, lifecycle)
        return grpc.unary_unary_rpc_method_handler(
            _unary(method, carry_out, lifecycle), _with_bytes(_parser(method)), _serialized
        )
    return _WRAPPERS[method.client_streaming, method.server_streaming](method, behaviour, lifecycle)


def _parser(method: MethodDescriptor) -> Callable[[bytes], object]:
    parse = GetMessageClass(method.input_type).FromString

    def parsed(data: bytes) -> object:
        # What a deserializer raises reaches the caller as an INTERNAL without a word, so a refusal is handed on.
        if len(data) > _LARGEST_REQUEST:
            return _too_large(len(data))
        try:
            return parse(data)
        except DecodeError:
            return _undecodable()

    return parsed


def _with_bytes(parsed: Callable[[bytes], object]) -> Callable[[bytes], tuple[object, bytes]]:
    return lambda data: (parsed(data), data)


def _serialized(response: Any) -> bytes:
    return response if type(response) is bytes else response.SerializeToString()


def _checked(request: Any) -> None:
    error = request if isinstance(request, DomainError) else invalid(request)
    if error is not None:
        raise error


# -- the shapes of calls -----------------------------------------------------------------------------------


def _carried_out(method: MethodDescriptor, behaviour: Callable[..., Awaitable[Any]]) -> CarryOut:
    """`behaviour` for requests that keep the contract's rules; raises only DomainErrors."""

    async def carry_out(request: Any, context: Context) -> Any:
        try:
            if isinstance(request, DomainError) or first_violation(request, fail_fast=True):
                _checked(request)
            return await behaviour(request, context)
        except (DomainError, grpc.aio.BaseError):
            raise
        except Exception:
            raise _defect(method) from None

    return carry_out


def _unary(method: MethodDescriptor, carry_out: CarryOut, lifecycle: Lifecycle) -> Any:
    async def handle(request: Any, context: Context) -> Any:
        entered = False
        try:
            lifecycle.enter()
            entered = True
            return await carry_out(request, context)
        except DomainError as error:
            await refuse(context, error)
        except grpc.aio.BaseError:
            raise
        except Exception:
            await refuse(context, _defect(method))
        finally:
            if entered:
                lifecycle.leave()

    return handle


def _streaming(
    method: MethodDescriptor,
    begin: Callable[[Any, Context], AsyncIterator[Any]],
    lifecycle: Lifecycle,
) -> Any:
    async def handle(request: Any, context: Context) -> None:
        entered = False
        try:
            lifecycle.enter()
            entered = True
            with lifecycle.stream_of(context.peer()):
                async with aclosing(begin(request, context)) as responses:  # type: ignore[type-var]  # a generator
                    async for response in responses:
                        await context.write(response)
        except DomainError as error:
            await refuse(context, error)
        except grpc.aio.BaseError:
            raise
        except Exception:
            await refuse(context, _defect(method))
        finally:
            if entered:
                lifecycle.leave()

    return handle


def _unary_handler(method: MethodDescriptor, behaviour: Callable[..., Any], lifecycle: Lifecycle) -> Handler:
    handle = _unary(method, _carried_out(method, behaviour), lifecycle)
    return grpc.unary_unary_rpc_method_handler(handle, _parser(method), _serialized)


def _server_streaming(method: MethodDescriptor, behaviour: Callable[..., Any], lifecycle: Lifecycle) -> Handler:
    def begin(request: Any, context: Context) -> Any:
        _checked(request)
        return behaviour(request, context)

    handle = _streaming(method, begin, lifecycle)
    return grpc.unary_stream_rpc_method_handler(handle, _parser(method), _serialized)


def _bidirectional(method: MethodDescriptor, behaviour: Callable[..., Any], lifecycle: Lifecycle) -> Handler:
    empty = GetMessageClass(method.input_type)

    async def received(requests: AsyncIterator[Any]) -> AsyncIterator[Received[Any]]:
        async for request, data in requests:
            if isinstance(request, DomainError):
                yield Received(empty(), request, data)
            else:
                yield Received(request, invalid(request), data)

    handle = _streaming(method, lambda requests, context: behaviour(received(requests), context), lifecycle)
    return grpc.stream_stream_rpc_method_handler(handle, _with_bytes(_parser(method)), _serialized)


_WRAPPERS: Final[dict[tuple[bool, bool], Callable[..., Handler]]] = {
    (False, False): _unary_handler,
    (False, True): _server_streaming,
    (True, True): _bidirectional,
}


# -- refusals ----------------------------------------------------------------------------------------------


async def refuse(context: Context, error: DomainError) -> NoReturn:
    """End the call with `error`; raises, as an abort does."""
    status = status_of(error)
    trailers = ((DETAILS_KEY, status.SerializeToString()),)
    await context.abort(code_of(error), status.message, trailers)


def _defect(method: MethodDescriptor) -> Defect:
    error_id = uuid.uuid4().hex
    _log.exception("defect %s in %s", error_id, method.full_name)
    return Defect(error_id)


def _refusing(text: str) -> Handler:
    async def handle(_: object, context: Context) -> None:
        await refuse(context, NotImplementedHere(text))

    # Streaming on both sides, which suits a caller of any shape: nothing is read and nothing but the status sent.
    return grpc.stream_stream_rpc_method_handler(handle)


class Router(grpc.GenericRpcHandler):
    """All methods in one table; one that is in none of the services is answered UNIMPLEMENTED.

    gRPC's own registered methods are left aside: its loop waits anew for each of them at every call.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._unknown = _refusing("this server has no such call")

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        return self._handlers.get(handler_call_details.method, self._unknown)
