"""The journal's sequence numbers are dense: checked here without asking the database."""

from collections.abc import Iterable, Mapping

from application.ports.journal import JournalUnavailable
from domain.trading.events.order_events import Event


def following(last: Mapping[str, int], events: Iterable[Event]) -> dict[str, int]:
    """The last sequence numbers once `events` are written; raises JournalUnavailable when they leave a gap."""
    ends: dict[str, int] = {}
    for event in events:
        account_id = event.account_id
        expected = (ends.get(account_id) or last.get(account_id, 0)) + 1
        if event.sequence != expected:
            raise JournalUnavailable(
                f"account {account_id}: event {event.sequence} does not follow {expected - 1}: read back first"
            )
        ends[account_id] = expected
    return ends
