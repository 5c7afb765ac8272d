"""Bodies: domain objects as JSON by field name. Decimals are strings, times RFC 3339, enums their values.

A field that the domain gains later needs a default there; then bodies from before it stay readable.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, get_type_hints

from msgspec import defstruct
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict

from application.ports.journal import Control
from domain.risk.aggregates.audit_record import AuditOutcome, AuditRecord
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event

encode = Encoder().encode
decode_account = Decoder(Account).decode
decode_fill = Decoder(Fill).decode
decode_order = Decoder(Order).decode
decode_position = Decoder(Position).decode
decode_risk_profile = Decoder(RiskProfile).decode
decode_risk_state = Decoder(RiskState).decode

# A body does not say what it is of: the row's kind does.
_KINDS: Final[Mapping[type[Control], str]] = {
    KillSwitch: "KILL_SWITCH",
    DeadManSwitch: "DEAD_MAN_SWITCH",
    ScopedTradingState: "TRADING_STATE",
    RiskProfile: "FIRM_PROFILE",
}
_CONTROLS: Final[Mapping[str, Callable[[bytes], Control]]] = {
    name: Decoder(kind).decode for kind, name in _KINDS.items()
}


def _body_of(kind: Any, names: Iterable[str]) -> Any:
    """A struct of these fields of the named tuple `kind`; what says nothing is left out of its JSON."""
    types, defaults = get_type_hints(kind), kind._field_defaults
    given = [(name, types[name], defaults[name]) if name in defaults else (name, types[name]) for name in names]
    return defstruct(f"_{kind.__name__}Body", given, omit_defaults=True, frozen=True)


# An event's keys and its order are columns of their own; the rest is the body.
_DETAILS = tuple(name for name in Event._fields if name not in {"account_id", "sequence", "order"})
_EventBody = _body_of(Event, _DETAILS)
_details = attrgetter(*_DETAILS)
_decode_details = Decoder(_EventBody).decode

# What an audit record's filters take are columns, which come first; this is the rest.
_FILTERED = 6
_AuditBody = _body_of(AuditRecord, AuditRecord._fields[_FILTERED:])
_decode_audit_body = Decoder(_AuditBody).decode


def kind_of(control: type[Control]) -> str:
    """How a row says which kind of control it holds."""
    return _KINDS[control]


def decode_control(kind: str, body: bytes) -> Control:
    return _CONTROLS[kind](body)


def decode_fills(bodies: Iterable[tuple[bytes]]) -> list[Fill]:
    """Rows of a body each, in the order the fills were booked."""
    return sorted((decode_fill(body) for (body,) in bodies), key=attrgetter("sequence"))


def encode_event(event: Event) -> bytes:
    return encode(_EventBody(*_details(event)))


def decode_event(account_id: str, sequence: int, body: bytes, order_body: bytes | None) -> Event:
    order = None if order_body is None else decode_order(order_body)
    return Event(account_id, sequence, order=order, **asdict(_decode_details(body)))


def encode_audit_record(record: AuditRecord) -> bytes:
    return encode(_AuditBody(*record[_FILTERED:]))


def decode_audit_record(
    audit_record_id: str, record_time: datetime, account_id: str | None, actor: str, rpc: str, outcome: str, body: bytes
) -> AuditRecord:
    rest = asdict(_decode_audit_body(body))
    return AuditRecord(audit_record_id, record_time, account_id or "", actor, rpc, AuditOutcome(outcome), **rest)
