"""No time limit on a single example: on a busy machine it would say more about the machine than about the code."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
