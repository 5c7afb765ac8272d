"""What is at risk, in one account or in all: by symbol, currency, sector, strategy and account."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from application.ports.clock import Clock
from application.risk.account_exposure import AccountExposure, account_exposure
from application.risk.strategy_holdings import StrategyHoldings
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.trading_engine import TradingEngine
from domain.decimals import ZERO
from domain.risk.services.exposure import Exposure, grouped
from domain.risk.value_objects.limits import LimitUse


@dataclass(frozen=True, slots=True)
class ExposureView:
    """`account_id` is empty and `sequence` 0 for all accounts. Amounts are in `currency`; `equity` is None when a price
    that it needs is `missing`.
    """

    account_id: str
    currency: str
    equity: Decimal | None
    total: Exposure
    by_symbol: Mapping[str, Exposure]
    by_currency: Mapping[str, Exposure]
    by_sector: Mapping[str, Exposure]
    by_strategy: Mapping[str, Exposure]
    by_account: Mapping[str, Exposure]
    limits: tuple[LimitUse, ...]
    missing: tuple[str, ...]
    as_of: datetime
    sequence: int


@dataclass(frozen=True, slots=True)
class GetExposure:
    """Read in the account's turn. An empty `currency` means the account's base currency."""

    account_id: str
    actor: str
    currency: str = ""

    def needs(self) -> Needs:
        return Needs(valued=True, currency=self.currency)

    def decide(self, book: AccountBook) -> AccountExposure:
        return account_exposure(book, self.currency or book.account.base_currency)


class GetExposureHandler:
    """Asks the accounts, and the store for the strategies that their positions belong to."""

    def __init__(self, engine: TradingEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._holdings = StrategyHoldings(engine.store)

    async def of_account(self, query: GetExposure) -> ExposureView:
        """One account with its limits. Raises AccessDenied for one that there is not."""
        return await self.view_of(await self._engine.execute(query))

    async def view_of(self, account: AccountExposure) -> ExposureView:
        """The same of an account that has been asked."""
        return await self._view([account], account.currency, account.account_id, account.limits, account.sequence)

    async def of_all(self, actor: str, currency: str) -> ExposureView:
        """Every account, each at its own moment; limits are an account's, so there are none."""
        writers = [writer for broker in self._engine.brokers for writer in self._engine.writers(broker)]
        asked = [writer.execute(GetExposure(writer.account_id, actor, currency)) for writer in writers]
        return await self._view(await asyncio.gather(*asked), currency)

    async def _view(
        self,
        accounts: Sequence[AccountExposure],
        currency: str,
        account_id: str = "",
        limits: tuple[LimitUse, ...] = (),
        sequence: int = 0,
    ) -> ExposureView:
        stakes = [stake for account in accounts for stake in account.stakes]
        return ExposureView(
            account_id=account_id,
            currency=currency,
            equity=_total(accounts),
            total=grouped(("", stake.worst) for stake in stakes).get("", Exposure()),
            by_symbol=grouped((stake.symbol, stake.worst) for stake in stakes),
            by_currency=grouped((stake.currency, stake.worst) for stake in stakes),
            by_sector=grouped((stake.sector, stake.worst) for stake in stakes),
            by_strategy=grouped(await self._by_strategy(accounts)),
            by_account=grouped((stake.account_id, stake.worst) for stake in stakes),
            limits=limits,
            missing=tuple(sorted({name for account in accounts for name in account.missing})),
            as_of=max((account.as_of for account in accounts), default=self._clock.now()),
            sequence=sequence,
        )

    async def _by_strategy(self, accounts: Sequence[AccountExposure]) -> list[tuple[str, Decimal | None]]:
        amounts: list[tuple[str, Decimal | None]] = []
        for account in accounts:
            for stake in account.stakes:
                changed = account.position_sequences.get(stake.symbol, 0)
                held = await self._holdings.of(stake.account_id, stake.symbol, stake.quantity, changed)
                amounts += stake.by_strategy(held).items()
        return amounts


def _total(accounts: Sequence[AccountExposure]) -> Decimal | None:
    total = ZERO
    for account in accounts:
        if account.equity is None:
            return None
        total += account.equity
    return total
