"""The way back from the paper venue, which can be told to delay, repeat, reorder and lose."""

from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.brokers.paper_agenda import Agenda
from adapters.brokers.paper_chance import Chance
from adapters.brokers.paper_order import PaperOrder
from adapters.brokers.paper_settings import PaperSettings
from domain.trading.value_objects.execution_report import ExecutionReport


class ReportLine:
    """Hands reports to `deliver`, each with the fate that its order and its number there have drawn."""

    def __init__(
        self,
        settings: PaperSettings,
        chance: Chance,
        agenda: Agenda,
        deliver: Callable[[ExecutionReport], None],
    ) -> None:
        self._settings = settings
        self._harmless = not settings.damages_reports
        self._chance = chance
        self._agenda = agenda
        self._deliver = deliver
        self._overtaken: dict[PaperOrder, list[ExecutionReport]] = {}

    def publish(self, order: PaperOrder, report: ExecutionReport, answers: bool) -> None:
        if self._harmless:
            self._deliver(report)
            return
        n = order.told
        if answers and self._draws(self._settings.lose_rate, order, "lose", n):
            return
        if self._draws(self._settings.repeat_rate, order, "repeat", n):
            self._agenda.add(self._later(order, report, "repeat", n), order.account_id, self._deliver, report)
        if self._draws(self._settings.delay_rate, order, "delay", n):
            self._agenda.add(self._later(order, report, "delay", n), order.account_id, self._deliver, report)
        elif self._draws(self._settings.reorder_rate, order, "reorder", n):
            self._overtaken.setdefault(order, []).append(report)
            self._agenda.add(self._later(order, report, "reorder", n), order.account_id, self._let_pass, order)
        else:
            self._deliver(report)
            self._let_pass(order)

    def _let_pass(self, order: PaperOrder) -> None:
        """Deliver what the order's next report was to overtake."""
        for report in self._overtaken.pop(order, ()):
            self._deliver(report)

    def _draws(self, rate: float, order: PaperOrder, what: str, n: int) -> bool:
        return self._chance.happens(rate, order.account_id, order.client_order_id, what, n)

    def _later(self, order: PaperOrder, report: ExecutionReport, what: str, n: int) -> datetime:
        longest = round(self._settings.max_fault_delay_seconds * 1_000_000)
        delay = self._chance.below(longest, order.account_id, order.client_order_id, f"{what} by", n)
        return report.time + timedelta(microseconds=delay)
