"""`quantmesh demo`: a server of its own, an account, a mix of orders, and what becomes of them.

It speaks to the server as any other team's program would: over the wire, by the generated stubs, and knows
nothing of what is behind them. So it is also the smoke test.
"""

from server.demo.run import run_demo

__all__ = ["run_demo"]
