"""`make bench`: how fast quantmesh is, each figure as a ratio to a yardstick in the same run, mostly a bare echo.

    .venv/bin/python tests/benchmarks/run.py [--only NAME ...] [--rounds N] [--quick]

The table goes to the terminal, and every round of every row to build/bench.json. A target that is missed is no
failure of the run: it is shown. A part that can't be run here is skipped, and named.

Echo and quantmesh take turns, and what is compared are neighbouring turns. Neither server is bound to a core, as
none is in service. Tried on two cores: with both servers bound to the one and the generator to the other, each was
up to a tenth faster and the ratios were the same within their scatter.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console

from tests.benchmarks import bare, bars, bulk, fan_out, indicators, place_order, rules, stalled, start_up, ticks
from tests.benchmarks.bench import Bench
from tests.benchmarks.ghz import Ghz, find_ghz
from tests.benchmarks.processes import ROOT, BenchmarkFailed, PartMissing
from tests.benchmarks.report import Row, show, write

_BUILD: Final = ROOT / "build"
_BENCHMARKS: Final[dict[str, Callable[[Bench], Iterator[Row]]]] = {
    "sqlite": place_order.on_sqlite,
    "limits": place_order.within_every_limit,
    "postgresql": place_order.on_postgresql,
    "alone": place_order.alone,
    "batches": bulk.in_batches,
    "sessions": bulk.in_sessions,
    "bare": bare.on_sqlite,
    "bare-postgresql": bare.on_postgresql,
    "fan-out": fan_out.fills_to_a_thousand,
    "quotes": fan_out.quotes_to_a_thousand,
    "stalled": stalled.one_of_a_hundred,
    "bars": bars.of_many_minutes,
    "ticks": ticks.of_a_day,
    "indicators": indicators.over_many_bars,
    "rules": rules.of_a_whole_profile,
    "start-up": start_up.after_a_million_orders,
}


def main() -> None:
    arguments = _parser().parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows, skipped, failed = list[Row](), list[str](), list[str]()
    folder = _BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(folder, Ghz(find_ghz(), folder), console, arguments.rounds, arguments.quick)
    for name in arguments.only or _BENCHMARKS:
        try:
            rows += _BENCHMARKS[name](bench)
        except PartMissing as missing:
            skipped.append(f"{name}, for lack of {missing}")
        except BenchmarkFailed as failure:
            failed.append(f"{name}: {failure}")
    show(rows, skipped, failed, console)
    write(rows, skipped, failed, _BUILD / "bench.json")
    if failed:
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=_BENCHMARKS, help=", ".join(_BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=3, help="what counts of each; 3 by default")
    parser.add_argument("--quick", action="store_true", help="small numbers: does it work at all?")
    return parser


if __name__ == "__main__":
    main()
