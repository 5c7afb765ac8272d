"""The last word: what the account holds and has made, how its orders ended, and whether the books agree."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from server.demo.books import Books, Check
from server.demo.tables import WIDE, money, positions_table, status_of, totals


def show_summary(console: Console, books: Books, checks: Sequence[Check]) -> None:
    _title(console, "Positions")
    console.print(positions_table(books.positions, wide=console.width >= WIDE))
    _title(console, f"Account, in {books.base_currency}")
    console.print(totals(books.portfolio))
    console.print(Text("Cash: ") + Text(", ".join(f"{money(c.amount)} {c.currency}" for c in books.portfolio.cash)))
    console.print(f"Orders: {_by_status(books)}", highlight=False)
    console.print(f"Fills: {len(books.fills)}", highlight=False)
    _title(console, "The books")
    for check in checks:
        console.print(
            Text("   ok  " if check.agrees else "WRONG  ", "green" if check.agrees else "bold red") + check.text
        )


def _by_status(books: Books) -> str:
    counted = Counter(status_of(order.status) for order in books.orders)
    return f"{len(books.orders)}, of which " + ", ".join(f"{number} {status}" for status, number in counted.items())


def _title(console: Console, title: str) -> None:
    console.print()
    console.print(Rule(Text(title, "bold"), align="left", style="dim"))
