"""The audit's records, out; what a list of them asks for, in."""

import base64
import json
from contextlib import suppress
from functools import cache
from typing import Final
from urllib.parse import unquote

from google.protobuf.descriptor_pool import Default
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import Error, MessageToJson
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from application.ports.audit import AuditFilter
from domain.risk.aggregates.audit_record import AuditOutcome, AuditRecord
from quantmesh.risk.v1 import audit_pb2 as pb
from server.interceptors.audit import AUDITED, SESSION
from server.mapping.common import from_optional_timestamp, optional_enum_table, to_timestamp

_LONGEST_JSON: Final = 65_536

_OUTCOMES: Final = optional_enum_table(pb.AuditOutcome, AuditOutcome, "AUDIT_OUTCOME")
_OUTCOME_OF: Final = {number: outcome for outcome, number in _OUTCOMES.items()}
# A call may be asked for by what is behind the last "/".
_FULL_NAMES: Final = {name.rpartition("/")[2]: name for name in (*AUDITED, SESSION)}


def audit_filter(request: pb.ListAuditRecordsRequest) -> AuditFilter:
    return AuditFilter(
        account_id=request.account_id,
        actor=request.actor,
        rpc=_FULL_NAMES.get(request.rpc, request.rpc),
        outcome=_OUTCOME_OF[request.outcome],
        recorded_from=from_optional_timestamp(request, "recorded_after"),
        recorded_before=from_optional_timestamp(request, "recorded_before"),
    )


def audit_message(record: AuditRecord) -> pb.AuditRecord:
    return pb.AuditRecord(
        audit_record_id=record.audit_record_id,
        record_time=to_timestamp(record.record_time),
        actor=record.actor,
        peer=_address(record.peer),
        rpc=record.rpc,
        account_id=record.account_id,
        request_json=request_json(record.rpc, record.request)[:_LONGEST_JSON],
        outcome=_OUTCOMES[record.outcome],
        error=Status.FromString(record.error) if record.error else None,
        reason=record.reason,
        sequence=record.sequence,
    )


def request_json(rpc: str, request: bytes) -> str:
    """The request, or as much of it as its bytes are whole for; bytes that tell nothing are a string in base64."""
    message = _request_class(rpc)()
    with suppress(DecodeError):  # it was cut, or never a message: what comes before the fault is read all the same
        message.MergeFromString(request)
    try:
        said = MessageToJson(message, indent=None)
    except (ValueError, Error):  # a time out of range and the like: what was refused is kept too
        said = "{}"
    return json.dumps(base64.b64encode(request).decode()) if said == "{}" and request else said


@cache
def _request_class(rpc: str) -> type[Message]:
    """What the call takes; nothing for one that the contract no longer has."""
    try:
        method = Default().FindMethodByName(rpc.replace("/", "."))
    except KeyError:
        return Empty
    return GetMessageClass(method.input_type)


def _address(peer: str) -> str:
    """gRPC says ipv4:127.0.0.1:50000, and percent-encodes the brackets of ipv6."""
    kind, _, address = peer.partition(":")
    return unquote(address) if kind in ("ipv4", "ipv6") else peer
