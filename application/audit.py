"""A call on its way: it travels to where it is decided, and there becomes its record in the audit.

Whoever takes a call in makes the `Call` and sets `current_call`. Who decides it claims it, and writes its record in
the transaction of the change, so that there is never one without the other. What nobody has decided is recorded by
who took it in.
"""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Final, NamedTuple

from application.ports.ids import IdGenerator
from domain.errors import DomainError, InvalidArgument, TooLarge, Unavailable
from domain.risk.aggregates.audit_record import AuditOutcome, AuditRecord

# What a reader is shown at most of a request has no more bytes on its way; and malformed ones must not fill the disk.
_MALFORMED: Final = (InvalidArgument, TooLarge)
_LARGEST_REQUEST: Final = 65_536
_LARGEST_MALFORMED: Final = 4_096
_LONGEST_ACCOUNT_ID: Final = 64
_LONGEST_REASON: Final = 256


class CallKind(NamedTuple):
    """What calls of one name have in common. `explain` turns a refusal into the status that the caller gets.
    `by_account`: an account's writer decides them, each by the first command that it gets for it.
    """

    rpc: str
    by_account: bool
    explain: Callable[[DomainError], bytes]
    ids: IdGenerator


class Call:
    """`request` is the message as it was sent; `record` is there once the call is decided."""

    claimed = False
    record: AuditRecord | None = None

    def __init__(self, kind: CallKind, actor: str, peer: str, request: bytes, account_id: str, reason: str) -> None:
        self.kind = kind
        self.actor = actor
        self.peer = peer
        self.request = request
        self.account_id = account_id
        self.reason = reason

    def decided(self, now: datetime, sequence: int, error: DomainError | None) -> AuditRecord:
        """The call's record. Deciding it again, as failed when the transaction was, keeps its id and time: of two
        records of one id the store has the one that came first.
        """
        if error is not None and isinstance(error, _MALFORMED):
            self._cut()
        first = self.record
        self.record = AuditRecord(
            self.kind.ids.new_id() if first is None else first.audit_record_id,
            now if first is None else first.record_time,
            self.account_id,
            self.actor,
            self.kind.rpc,
            AuditOutcome.ALLOWED if error is None else outcome_of(error),
            self.peer,
            self.request[:_LARGEST_REQUEST],
            b"" if error is None else self.kind.explain(error),
            self.reason,
            sequence,
        )
        return self.record

    def _cut(self) -> None:
        """What a malformed request says may be of any length, and what is no account id is none."""
        self.request, self.reason = self.request[:_LARGEST_MALFORMED], self.reason[:_LONGEST_REASON]
        if not (
            len(self.account_id) <= _LONGEST_ACCOUNT_ID and self.account_id.isascii() and self.account_id.isprintable()
        ):
            self.account_id = ""


current_call: Final[ContextVar[Call | None]] = ContextVar("current_call", default=None)
"""The call that the present task carries out; None for what the server does by itself."""


def claim() -> Call | None:
    """The present call, for the account's writer that decides it: its record is then the writer's to write."""
    call = current_call.get()
    if call is None or call.claimed or not call.kind.by_account:
        return None
    call.claimed = True
    return call


def carried_out(now: datetime, sequence: int = 0) -> list[AuditRecord]:
    """The record of the present call, for the first batch that carries it out; empty for the others."""
    call = current_call.get()
    if call is None or call.claimed:
        return []
    call.claimed = True
    return [call.decided(now, sequence, None)]


def outcome_of(error: DomainError) -> AuditOutcome:
    """Of a call that ended with `error`."""
    if isinstance(error, Unavailable) or error.reason == DomainError.reason:
        return AuditOutcome.FAILED
    return AuditOutcome.DENIED
