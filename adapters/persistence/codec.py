"""Bodies: domain objects as JSON by field name. Decimals are strings, times RFC 3339, enums their values.

A field that the domain gains later needs a default there; then bodies from before it stay readable.
"""

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from operator import attrgetter
from typing import Any, get_type_hints

from msgspec import defstruct
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict

from domain.risk.aggregates.risk_profile import RiskProfile
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

# An event's keys and its order are columns of their own; the rest is the body, without what says nothing.
_DETAILS = tuple(field for field in fields(Event) if field.name not in {"account_id", "sequence", "order"})
_TYPES = get_type_hints(Event)


def _definition(field: "Field[Any]") -> tuple[str, Any] | tuple[str, Any, Any]:
    known = field.name, _TYPES[field.name]
    return known if field.default is MISSING else (*known, field.default)


_EventBody = defstruct("_EventBody", map(_definition, _DETAILS), omit_defaults=True, frozen=True)
_details = attrgetter(*(field.name for field in _DETAILS))
_decode_details = Decoder(_EventBody).decode


def decode_fills(bodies: Iterable[tuple[bytes]]) -> list[Fill]:
    """Rows of a body each, in the order the fills were booked."""
    return sorted((decode_fill(body) for (body,) in bodies), key=attrgetter("sequence"))


def encode_event(event: Event) -> bytes:
    return encode(_EventBody(*_details(event)))


def decode_event(account_id: str, sequence: int, body: bytes, order_body: bytes | None) -> Event:
    order = None if order_body is None else decode_order(order_body)
    return Event(account_id, sequence, order=order, **asdict(_decode_details(body)))
