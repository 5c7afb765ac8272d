"""Settings of a broker that is as bad as one can be, and of a server that is not patient with it."""

from typing import Final

FAULTS: Final[dict[str, object]] = {
    "paper_delay_rate": 0.2,
    "paper_repeat_rate": 0.2,
    "paper_reorder_rate": 0.2,
    "paper_lose_rate": 0.2,
    "paper_max_fault_delay_seconds": 0.5,
    "watch_answer_timeout": 0.5,
    "watch_absence_proof": 0.5,
    "watch_ask_interval": 0.1,
}
