"""Run by Alembic: the migrations work on the connection that the caller has opened."""

from alembic import context

from adapters.persistence.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
