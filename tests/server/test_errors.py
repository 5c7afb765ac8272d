"""The one table from refusals to what callers see."""

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo

from domain.errors import (
    AccessDenied,
    AlreadyExists,
    DomainError,
    InvalidArgument,
    NotFound,
    OrderNotPlaced,
    OutOfRange,
    PreconditionFailed,
    Throttled,
    Unavailable,
    VersionMismatch,
    Violation,
)
from quantmesh.type.v1.error_reason_pb2 import ErrorReason
from server.errors import CODES, Defect, FieldViolation, InvalidRequest, NotImplementedHere, code_of, status_of
from server.paging import InvalidPageToken
from server.services.session_commands import OutOfPlace
from tests.server.rig import Refusal

CODE = grpc.StatusCode
BROKEN = [Violation("MAX_ORDER_QUANTITY", "order", "too much")]

ERRORS: list[tuple[DomainError, grpc.StatusCode, str, set[type]]] = [
    (InvalidArgument("a.b", "must be"), CODE.INVALID_ARGUMENT, "INVALID_REQUEST", {BadRequest}),
    (InvalidPageToken(), CODE.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", {BadRequest}),
    (OutOfPlace("command", "must be"), CODE.INVALID_ARGUMENT, "COMMAND_OUT_OF_PLACE", {BadRequest}),
    (NotFound("no"), CODE.NOT_FOUND, "ORDER_NOT_FOUND", set()),
    (AccessDenied("no"), CODE.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE", set()),
    (AlreadyExists("no"), CODE.ALREADY_EXISTS, "CLIENT_ORDER_ID_REUSED", set()),
    (VersionMismatch("no"), CODE.ABORTED, "VERSION_MISMATCH", set()),
    (PreconditionFailed("no", BROKEN), CODE.FAILED_PRECONDITION, "ORDER_NOT_OPEN", {PreconditionFailure}),
    (OrderNotPlaced("no", BROKEN), CODE.FAILED_PRECONDITION, "RISK_CHECK_FAILED", {PreconditionFailure}),
    (OutOfRange("no"), CODE.OUT_OF_RANGE, "SEQUENCE_IN_FUTURE", set()),
    (Throttled("no", 1.5), CODE.RESOURCE_EXHAUSTED, "RATE_LIMITED", {RetryInfo}),
    (Unavailable("no"), CODE.UNAVAILABLE, "STORAGE_UNAVAILABLE", {RetryInfo}),
    (NotImplementedHere("no"), CODE.UNIMPLEMENTED, "NOT_IMPLEMENTED", set()),
    (Defect("id"), CODE.INTERNAL, "INTERNAL", set()),
]


@pytest.mark.parametrize(("error", "code", "reason", "details"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_refusal_has_its_code_its_reason_and_its_details(
    error: DomainError, code: grpc.StatusCode, reason: str, details: set[type]
) -> None:
    refused = Refusal(status_of(error))
    assert (code_of(error), refused.code, refused.reason) == (code, code, reason)
    assert f"ERROR_REASON_{reason}" in dict(ErrorReason.items())
    found = {kind for kind in (BadRequest, PreconditionFailure, RetryInfo) if refused.detail(kind) is not None}
    assert found == details


def test_every_class_of_refusal_is_in_the_table() -> None:
    coded = {kind for kind, _ in CODES}
    direct = {kind for kind in DomainError.__subclasses__() if kind.__module__ == "domain.errors"}
    assert direct <= coded


def test_all_violations_of_a_request_are_named() -> None:
    error = InvalidRequest([FieldViolation("a", "must be short"), FieldViolation("b", "must be long")])
    refused = Refusal(status_of(error))
    assert refused.fields == {"a": "must be short", "b": "must be long"}
    assert refused.status.message == "a: must be short; b: must be long"


def test_a_failed_rule_is_told_with_its_subject_and_description() -> None:
    [violation] = Refusal(status_of(OrderNotPlaced("no", BROKEN))).detail(PreconditionFailure).violations
    assert (violation.type, violation.subject, violation.description) == ("MAX_ORDER_QUANTITY", "order", "too much")


def test_retry_info_says_how_long_to_wait() -> None:
    assert Refusal(status_of(Throttled("no", 1.5))).retry_seconds == 1.5


def test_metadata_is_kept() -> None:
    error = NotFound("no", order_id="1", client_order_id="c")
    assert Refusal(status_of(error)).metadata == {"order_id": "1", "client_order_id": "c"}


def test_a_status_stays_small_whatever_the_request_held() -> None:
    long = "x" * 10_000
    broken = [Violation(f"RULE_{i}", long, long) for i in range(100)]
    for error in (
        InvalidRequest([FieldViolation(long, long)] * 100),
        PreconditionFailed(long, broken, order_id=long),
    ):
        status = status_of(error)
        assert status.ByteSize() < 5_000
        assert Refusal(status).detail(ErrorInfo) is not None
