"""The life of an order, as one table: what a broker's report does to an order in each state.

`LIFECYCLE[state][report]` is the state that follows; a report that is missing there changes nothing (it is
late, or a repeat). BY_QUANTITY means: FILLED when nothing is left to fill, PARTIALLY_FILLED otherwise.
A trailing stop moves as long as it has not triggered, and its state stays.
A fill on a closed order is booked, because it happened, and the order stays closed. A bust takes FILLED back
(FIX 4.4 matrix J.1.a), and no other closed state (J.1.b, J.1.d). CANCELED and EXPIRED on a FILLED order are
the broker's word that what a bust gives back is not worked any more: it holds whichever of them comes first.

A pending cancel or replace lies over the state and never replaces it (FIX 4.4 ranks PENDING_CANCEL above
PENDING_REPLACE above all else), so refusing the request uncovers the state that the fills have made.
"""

from typing import Final

from domain.terms import Term
from domain.trading.value_objects.execution_report import ExecType


class OrderStatus(Term):
    """FIX OrdStatus(39), with TRIGGERED (a stop that now works) and UNKNOWN (outcome not proven) as more."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    TRIGGERED = "TRIGGERED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    PENDING_REPLACE = "PENDING_REPLACE"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


S = OrderStatus
X = ExecType
BY_QUANTITY: Final = None

LIFECYCLE: Final[dict[OrderStatus, dict[ExecType, OrderStatus | None]]] = {
    S.PENDING_NEW: {
        X.NEW: S.NEW,
        X.STOP_MOVED: S.PENDING_NEW,
        X.UNCLEAR: S.UNKNOWN,
        X.ABSENT: S.CANCELED,
        X.TRIGGERED: S.TRIGGERED,
        X.TRADE: BY_QUANTITY,
        X.CANCELED: S.CANCELED,
        X.EXPIRED: S.EXPIRED,
        X.REJECTED: S.REJECTED,
    },
    S.UNKNOWN: {
        X.NEW: S.NEW,
        X.STOP_MOVED: S.UNKNOWN,
        X.ABSENT: S.CANCELED,
        X.TRIGGERED: S.TRIGGERED,
        X.TRADE: BY_QUANTITY,
        X.CANCELED: S.CANCELED,
        X.EXPIRED: S.EXPIRED,
        X.REJECTED: S.REJECTED,
    },
    S.NEW: {
        X.STOP_MOVED: S.NEW,
        X.TRIGGERED: S.TRIGGERED,
        X.TRADE: BY_QUANTITY,
        X.CANCELED: S.CANCELED,
        X.EXPIRED: S.EXPIRED,
        X.REJECTED: S.REJECTED,
        X.REPLACED: S.NEW,
    },
    S.TRIGGERED: {
        X.TRADE: BY_QUANTITY,
        X.CANCELED: S.CANCELED,
        X.EXPIRED: S.EXPIRED,
        X.REJECTED: S.REJECTED,
        X.REPLACED: S.TRIGGERED,
    },
    S.PARTIALLY_FILLED: {
        X.TRADE: BY_QUANTITY,
        X.TRADE_CANCEL: BY_QUANTITY,
        X.TRADE_CORRECT: BY_QUANTITY,
        X.CANCELED: S.CANCELED,
        X.EXPIRED: S.EXPIRED,
        X.REJECTED: S.CANCELED,
        X.REPLACED: BY_QUANTITY,
    },
    S.FILLED: {
        X.TRADE: S.FILLED,
        X.TRADE_CANCEL: BY_QUANTITY,
        X.TRADE_CORRECT: BY_QUANTITY,
        X.REPLACED: BY_QUANTITY,
        X.CANCELED: S.CANCELED,
        X.EXPIRED: S.EXPIRED,
    },
    S.CANCELED: {X.TRADE: S.CANCELED, X.TRADE_CANCEL: S.CANCELED, X.TRADE_CORRECT: S.CANCELED},
    S.EXPIRED: {X.TRADE: S.EXPIRED, X.TRADE_CANCEL: S.EXPIRED, X.TRADE_CORRECT: S.EXPIRED},
    S.REJECTED: {X.TRADE: S.REJECTED, X.TRADE_CANCEL: S.REJECTED, X.TRADE_CORRECT: S.REJECTED},
}

CLOSED: Final = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED})
