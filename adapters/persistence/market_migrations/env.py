"""Run by Alembic: the migrations work on the connection that the caller has opened.

Their version has a table of its own, because the orders may be in the same database.
"""

from alembic import context

from adapters.persistence.market_tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table="market_version"
)
with context.begin_transaction():
    context.run_migrations()
