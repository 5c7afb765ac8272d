"""Instruments as they were described last. The table is spelled out here: a migration stays what it was."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NAMES = ("provider", "revision", "symbol")


def upgrade() -> None:
    op.create_table(
        "instruments",
        *(sa.Column(name, KEY, nullable=False) for name in NAMES),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(*NAMES, name="pk_instruments"),
    )
