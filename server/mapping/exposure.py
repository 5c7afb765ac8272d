"""Exposures and the use of limits; what a missing price leaves unknown is empty."""

from collections.abc import Mapping
from decimal import Decimal

from application.risk.queries.get_exposure_query import ExposureView
from domain.risk.services.exposure import Exposure
from domain.risk.value_objects.limits import LimitUse
from quantmesh.risk.v1 import exposure_pb2
from server.mapping.common import settled_or_empty, to_timestamp


def exposure_message(view: ExposureView) -> exposure_pb2.Exposure:
    equity, total = view.equity, view.total
    return exposure_pb2.Exposure(
        account_id=view.account_id,
        currency=view.currency,
        equity=settled_or_empty(equity),
        **_amounts(total),
        leverage=settled_or_empty(total.over(equity)),
        by_symbol=_parts(view.by_symbol, equity),
        by_currency=_parts(view.by_currency, equity),
        by_sector=_parts(view.by_sector, equity),
        by_strategy=_parts(view.by_strategy, equity),
        by_account=_parts(view.by_account, equity),
        limits=map(limit_use_message, view.limits),
        missing_prices=view.missing,
        as_of_time=to_timestamp(view.as_of),
        sequence=view.sequence,
    )


def _amounts(exposure: Exposure) -> dict[str, str]:
    if not exposure.is_known:
        return {}
    return {
        "long_exposure": settled_or_empty(exposure.long),
        "short_exposure": settled_or_empty(exposure.short),
        "gross_exposure": settled_or_empty(exposure.gross),
        "net_exposure": settled_or_empty(exposure.net),
    }


def _parts(parts: Mapping[str, Exposure], equity: Decimal | None) -> list[exposure_pb2.ExposurePart]:
    return [_part(key, exposure, exposure.over(equity)) for key, exposure in parts.items()]


def _part(key: str, exposure: Exposure, of_equity: Decimal | None) -> exposure_pb2.ExposurePart:
    percent = None if of_equity is None else of_equity * 100
    return exposure_pb2.ExposurePart(key=key, equity_percent=settled_or_empty(percent), **_amounts(exposure))


def limit_use_message(use: LimitUse) -> exposure_pb2.LimitUse:
    return exposure_pb2.LimitUse(
        rule=use.rule,
        key=use.key,
        value=settled_or_empty(use.value),
        limit=settled_or_empty(use.limit),
        unit=use.unit,
        used_percent=settled_or_empty(use.used_percent),
    )
