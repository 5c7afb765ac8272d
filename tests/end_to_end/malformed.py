"""Every way in which a request can break a rule of the contract, generated from the contract itself."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from buf.validate import validate_pb2
from quantmesh.type.v1 import rules_pb2

_DECIMALS: Final = {
    "negative": "-1",
    "with an exponent": "1e3",
    "too precise": "0.0000000000000000001",
    "too long": "1" * 21,
    "no number": "NaN",
    "with a comma": "1,5",
    "with a space": " 1",
    "in other digits": "١",
}
_IDENTIFIERS: Final = {"too long": "x" * 65, "with a space": "a b", "not ASCII": "ü", "with a line break": "a\n"}
_TEXTS: Final = (
    (rules_pb2.positive_decimal, {**_DECIMALS, "zero": "0.00"}),
    (rules_pb2.non_negative_decimal, _DECIMALS),
    (rules_pb2.percent, {**_DECIMALS, "zero": "0", "above 100": "100.1"}),
    (rules_pb2.account_id, {**_IDENTIFIERS, "with a bad start": "-a"}),
    (rules_pb2.identifier, _IDENTIFIERS),
    (rules_pb2.symbol, {**_IDENTIFIERS, "in small letters": "aapl"}),
    (rules_pb2.currency, {**_IDENTIFIERS, "in small letters": "usd"}),
    (rules_pb2.adapter_name, {**_IDENTIFIERS, "in capitals": "PAPER"}),
)
_UNKNOWN_NUMBER: Final = 9_999

Spoil = Callable[[Any], None]


class Malformed(NamedTuple):
    """A request of which one field is wrong. `field`: its path, as a violation is to spell it."""

    what: str
    request: Message
    field: str


def malformed(good: Message) -> Iterator[Malformed]:
    """`good`, spoiled in each way once."""
    yield from _spoiled_within(good, lambda root: root, "")


def _spoiled_within(good: Message, part: Callable[[Any], Any], path: str) -> Iterator[Malformed]:
    """`part` finds the message at `path` in a copy of `good`."""

    def case(field: str, what: str, spoil: Spoil) -> Malformed:
        bad = type(good)()
        bad.CopyFrom(good)
        spoil(part(bad))
        return Malformed(f"{path}{field} {what}", bad, f"{path}{field}")

    descriptor = part(good).DESCRIPTOR
    for oneof in descriptor.oneofs:
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required:
            yield case(oneof.name, "missing", lambda message, name=oneof.name: message.ClearField(name))
    for field in descriptor.fields:
        for what, spoil in _spoils(field):
            yield case(field.name, what, spoil)
        if _is_of_the_contract(field):
            step, name = (_first, f"{field.name}[0]") if field.is_repeated else (getattr, field.name)
            yield from _spoiled_within(
                good, lambda root, step=step, name=field.name: step(part(root), name), f"{path}{name}."
            )


def _is_of_the_contract(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.full_name.startswith("quantmesh.") and not kind.GetOptions().map_entry


def _first(message: Any, field: str) -> Any:
    items = getattr(message, field)
    return items[0] if items else items.add()


# -- one field ---------------------------------------------------------------------------------------------


def _spoils(field: FieldDescriptor) -> Iterator[tuple[str, Spoil]]:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    if rules.required:
        yield "missing", lambda message: _cleared(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from _spoiled_maps(field, rules.map)
    elif field.is_repeated:
        yield from _spoiled_lists(field, rules.repeated)
    else:
        for what, value in _bad_values(field, rules):
            yield what, lambda message, value=value: _set(message, field, value)


def _cleared(message: Any, field: str) -> None:
    message.SetInParent()
    message.ClearField(field)


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if isinstance(value, Message):
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


def _spoiled_maps(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Spoil]]:
    def put(content: dict[str, str]) -> Spoil:
        return lambda message: getattr(message, field.name).update(content)

    if rules.HasField("max_pairs"):
        yield "too many", put({f"k{number}": "v" for number in range(rules.max_pairs + 1)})
        yield "with a key too long", put({"k" * (rules.keys.string.max_len + 1): "v"})
        yield "with a value too long", put({"k": "v" * (rules.values.string.max_len + 1)})


def _spoiled_lists(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Spoil]]:
    def fill(count: int) -> Spoil:
        return lambda message: _fill(message, field, count)

    if rules.min_items:
        yield "empty", lambda message: _cleared(message, field.name)
    if rules.max_items and field.message_type is not None:
        yield "too many", fill(rules.max_items + 1)
    if rules.unique:
        yield "with one twice", fill(2)
    for what, value in _bad_values(field, rules.items):
        yield f"with one {what}", lambda message, value=value: _only(message, field, value)


def _fill(message: Any, field: FieldDescriptor, count: int) -> None:
    """As many as `count` copies of the first item."""
    items = getattr(message, field.name)
    if field.message_type is not None:
        first = _first(message, field.name)
        items.extend([first] * (count - len(items)))
    else:
        items.extend([items[0] if items else (1 if field.enum_type else "AAPL")] * count)


def _only(message: Any, field: FieldDescriptor, value: Any) -> None:
    getattr(message, field.name)[:] = [value]


def _bad_values(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Any]]:
    if field.enum_type is not None and rules.enum.defined_only:
        yield "of no such number", _UNKNOWN_NUMBER
    elif field.type == FieldDescriptor.TYPE_STRING:
        yield from _bad_texts(rules.string)
    elif field.message_type is not None and field.message_type.full_name == Duration.DESCRIPTOR.full_name:
        yield from _beyond(rules.duration, Duration(seconds=-1), Duration(seconds=1))
    elif field.message_type is not None and field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
        yield from _beyond(rules.timestamp, Timestamp(seconds=-1), Timestamp(seconds=1))
    else:
        yield from _bad_numbers(rules)


def _bad_texts(rules: Any) -> Iterator[tuple[str, str]]:
    for rule, texts in _TEXTS:
        if rules.Extensions[rule]:
            yield from texts.items()
    if rules.max_len:
        yield "too long", "x" * (rules.max_len + 1)
    if rules.min_len:
        yield "too short", ""


def _bad_numbers(rules: Any) -> Iterator[tuple[str, int]]:
    kind = rules.WhichOneof("type")
    if kind not in ("int32", "uint32", "uint64"):
        return
    limits = getattr(rules, kind)
    if limits.HasField("gte") and limits.gte - 1 >= (-(2**31) if kind == "int32" else 0):
        yield "too low", limits.gte - 1
    if limits.HasField("gt"):
        yield "too low", limits.gt
    if limits.HasField("lte"):
        yield "too high", limits.lte + 1


def _beyond(rules: Any, down: Any, up: Any) -> Iterator[tuple[str, Any]]:
    """Times just outside of the limits."""
    for limit, step in (("gte", down), ("lte", up), ("lt", type(up)())):
        if rules.HasField(limit):
            value = getattr(rules, limit)
            yield f"beyond its {limit}", type(up)(seconds=value.seconds + step.seconds, nanos=value.nanos)
