"""A switch that stops trading in its scope until it is released."""

from dataclasses import dataclass
from datetime import datetime

from domain.risk.value_objects.scope import Scope


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """`version` goes up by one with every change, from 1. `engaged_by`: an actor, or "dead_man_switch:<id>".

    `orders` are those that were open in the scope when it was engaged: pairs of account_id and order_id.
    """

    kill_switch_id: str
    scope: Scope
    cancel_orders: bool
    flatten: bool
    reason: str
    engaged_by: str
    engaged_time: datetime
    version: int = 1
    engaged: bool = True
    release_reason: str = ""
    released_by: str = ""
    released_time: datetime | None = None
    orders: tuple[tuple[str, str], ...] = ()
