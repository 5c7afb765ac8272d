from collections.abc import Iterator
from datetime import timedelta

import pytest

from application.audit import Call, CallKind, carried_out, claim, current_call, outcome_of
from domain.errors import AccessDenied, DomainError, InvalidArgument, PreconditionFailed, Throttled, Unavailable
from domain.risk.aggregates.audit_record import AuditOutcome
from tests.support.trading import START, SequentialIds

ALLOWED, DENIED, FAILED = AuditOutcome.ALLOWED, AuditOutcome.DENIED, AuditOutcome.FAILED
LATER = START + timedelta(seconds=1)


def a_call(
    request: bytes = b"request", *, account_id: str = "desk", reason: str = "why", by_account: bool = True
) -> Call:
    kind = CallKind("S/R", by_account, lambda error: error.message.encode(), SequentialIds())
    return Call(kind, "user:test", "peer", request, account_id, reason)


@pytest.fixture
def call() -> Iterator[Call]:
    """The present one."""
    call = a_call()
    token = current_call.set(call)
    yield call
    current_call.reset(token)


def test_a_decision_becomes_a_record(call: Call) -> None:
    record = call.decided(START, 7, None)
    assert (record.record_time, record.sequence, record.outcome, record.error) == (START, 7, ALLOWED, b"")
    assert (record.actor, record.peer, record.rpc) == ("user:test", "peer", "S/R")
    assert (record.request, record.account_id, record.reason) == (b"request", "desk", "why")


def test_a_refusal_is_kept_as_the_caller_gets_it(call: Call) -> None:
    record = call.decided(START, 0, AccessDenied("no"))
    assert (record.outcome, record.error) == (DENIED, b"no")


def test_a_decision_that_is_undone_keeps_its_id_and_time(call: Call) -> None:
    first = call.decided(START, 7, None)
    failed = call.decided(LATER, 0, Unavailable("gone"))
    assert (failed.audit_record_id, failed.record_time) == (first.audit_record_id, START)
    assert (failed.outcome, failed.sequence) == (FAILED, 0)


@pytest.mark.parametrize(
    ("error", "longest"), [(None, 65_536), (AccessDenied("no"), 65_536), (InvalidArgument("field", "rule"), 4_096)]
)
def test_a_request_is_cut(error: DomainError | None, longest: int) -> None:
    assert len(a_call(b"x" * 100_000).decided(START, 0, error).request) == longest


@pytest.mark.parametrize("account_id", ["x" * 65, "d\0esk", "désk"])
def test_what_a_malformed_request_says_is_cut(account_id: str) -> None:
    record = a_call(account_id=account_id, reason="y" * 1_000).decided(START, 0, InvalidArgument("field", "rule"))
    assert (record.account_id, record.reason) == ("", "y" * 256)


def test_only_the_first_claims_a_call(call: Call) -> None:
    assert claim() is call
    assert claim() is None
    assert carried_out(START) == []


def test_only_the_first_batch_carries_a_call_out(call: Call) -> None:
    [record] = carried_out(START, 7)
    assert (record, record.sequence) == (call.record, 7)
    assert carried_out(LATER) == []
    assert claim() is None


def test_what_the_firm_decides_is_no_accounts_to_claim() -> None:
    token = current_call.set(a_call(by_account=False))
    assert claim() is None
    assert len(carried_out(START)) == 1
    current_call.reset(token)


def test_what_the_server_does_by_itself_is_no_call() -> None:
    assert claim() is None
    assert carried_out(START) == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InvalidArgument("field", "rule"), DENIED),
        (PreconditionFailed("no", []), DENIED),
        (Throttled("wait", 1.0), DENIED),
        (Unavailable("gone"), FAILED),
        (DomainError("a defect"), FAILED),
    ],
)
def test_the_outcome_tells_whose_doing_it_was(error: DomainError, outcome: AuditOutcome) -> None:
    assert outcome_of(error) is outcome
