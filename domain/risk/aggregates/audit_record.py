"""What the audit keeps of one call that changed something, or was to."""

from datetime import datetime
from typing import NamedTuple

from domain.terms import Term


class AuditOutcome(Term):
    """ALLOWED: carried out. DENIED: by permission, a rule or the state of things. FAILED: the server's fault."""

    ALLOWED = "ALLOWED"
    DENIED = "DENIED"
    FAILED = "FAILED"


class AuditRecord(NamedTuple):  # made on the way of every order: a third of what a frozen dataclass costs
    """Never changes. `rpc` is the full name of the call, and tells what `request` is: that message as it was sent,
    possibly cut. `error` is what the caller was answered, as the contract's status message; empty for none.
    `sequence` is that of the last event which the call led to in the account's journal, 0 for none.
    """

    audit_record_id: str
    record_time: datetime
    account_id: str
    actor: str
    rpc: str
    outcome: AuditOutcome
    peer: str
    request: bytes
    error: bytes = b""
    reason: str = ""
    sequence: int = 0
