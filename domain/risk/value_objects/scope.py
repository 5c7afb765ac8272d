"""What a kill switch, a dead-man switch or a trading state is about."""

from dataclasses import dataclass

from domain.terms import Term


class ScopeKind(Term):
    ALL = "ALL"
    ACCOUNT = "ACCOUNT"
    STRATEGY = "STRATEGY"
    SYMBOL = "SYMBOL"


@dataclass(frozen=True, slots=True)
class Scope:
    """`key` is the strategy_id or the symbol. `account_id` is the account, or for a strategy or symbol the one
    account that it is narrowed to; empty for every account.
    """

    kind: ScopeKind
    account_id: str = ""
    key: str = ""

    def bears_on(self, account_id: str) -> bool:
        """Whether anything in this account can be in the scope."""
        return self.account_id in ("", account_id)

    def covers(self, account_id: str, strategy_id: str, symbol: str) -> bool:
        """Whether an order of this account, strategy and symbol is in the scope."""
        if not self.bears_on(account_id):
            return False
        if self.kind is ScopeKind.STRATEGY:
            return self.key == strategy_id
        return self.kind is not ScopeKind.SYMBOL or self.key == symbol


EVERYTHING = Scope(ScopeKind.ALL)


def of_account(account_id: str) -> Scope:
    return Scope(ScopeKind.ACCOUNT, account_id)
