"""Reading the audit, page by page."""

import asyncio
from datetime import datetime
from typing import Final

from application.ports.audit import AuditLog, Place
from domain.risk.aggregates.audit_record import AuditRecord
from quantmesh.risk.v1 import audit_pb2
from quantmesh.type.v1 import sort_order_pb2
from server.interceptors.handlers import Context
from server.mapping.audit import audit_filter, audit_message
from server.paging import InvalidPageToken, Page, page_of

# Callers take answers of 4 MiB, and one record may have more than 64 KiB.
_LARGEST_PAGE: Final = 2 * 1024 * 1024
_READ_AT_ONCE: Final = 100


class RiskAudit:
    """The RPC of RiskService that shows who asked for what, and what became of it."""

    def __init__(self, audit_log: AuditLog) -> None:
        self._audit_log = audit_log

    async def ListAuditRecords(
        self, request: audit_pb2.ListAuditRecordsRequest, context: Context
    ) -> audit_pb2.ListAuditRecordsResponse:
        page = page_of(request)
        where, place = audit_filter(request), _place(page)
        newest_first = request.order_by != sort_order_pb2.SORT_ORDER_OLDEST_FIRST
        found: list[AuditRecord] = []
        messages: list[audit_pb2.AuditRecord] = []
        size = 0
        while len(found) < page.fetch and size <= _LARGEST_PAGE:
            records = await self._audit_log.records(
                where, place, min(_READ_AT_ONCE, page.fetch - len(found)), newest_first
            )
            if not records:
                break
            # Telling large requests as JSON takes long, and orders do not wait for it.
            told = await asyncio.to_thread(lambda some: list(map(audit_message, some)), records)
            found += records
            messages += told
            size += sum(message.ByteSize() for message in told)
            place = records[-1].record_time, records[-1].audit_record_id
        shown = page._replace(size=min(page.size, _fitting(messages)))
        found_shown, next_page_token = shown.cut(found, _key)
        return audit_pb2.ListAuditRecordsResponse(
            audit_records=messages[: len(found_shown)], next_page_token=next_page_token
        )


def _fitting(messages: list[audit_pb2.AuditRecord]) -> int:
    """How many of them, at least one, are small enough together."""
    size = 0
    for count, message in enumerate(messages):
        size += message.ByteSize()
        if count and size > _LARGEST_PAGE:
            return count
    return len(messages)


def _key(record: AuditRecord) -> str:
    return f"{record.record_time.isoformat()} {record.audit_record_id}"


def _place(page: Page) -> Place | None:
    if not page.key:
        return None
    time, _, audit_record_id = page.key.partition(" ")
    try:
        return datetime.fromisoformat(time), audit_record_id
    except ValueError:
        raise InvalidPageToken from None
