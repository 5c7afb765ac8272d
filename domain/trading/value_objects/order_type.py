"""The vocabulary of an order, in FIX terms."""

from domain.terms import Term


class Side(Term):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: the direction in which it moves the position."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(Term):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"


class TimeInForce(Term):
    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"
    OPG = "OPG"
    CLS = "CLS"


class Liquidity(Term):
    MAKER = "MAKER"
    TAKER = "TAKER"


class GroupType(Term):
    OCO = "OCO"
    OTO = "OTO"
    BRACKET = "BRACKET"


class CancelReason(Term):
    """Why an order was cancelled before it was done."""

    REQUESTED = "REQUESTED"
    NOT_FILLED_AT_ONCE = "NOT_FILLED_AT_ONCE"
    GROUP = "GROUP"
    PARENT_ENDED = "PARENT_ENDED"
    DISCONNECTED = "DISCONNECTED"
    LEASE_EXPIRED = "LEASE_EXPIRED"
    KILL_SWITCH = "KILL_SWITCH"
    SELF_MATCH = "SELF_MATCH"
    BROKER = "BROKER"
    NEVER_SUBMITTED = "NEVER_SUBMITTED"


class RestateReason(Term):
    """Why an order changed, but not by a replace of its caller's."""

    PARENT_FILLED = "PARENT_FILLED"
    GROUP_FILLED = "GROUP_FILLED"
