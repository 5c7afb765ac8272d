"""RiskService: the RPCs of its parts."""

from application.market_data.market import Market
from application.ports.audit import AuditLog
from application.risk.queries.get_exposure_query import GetExposureHandler
from application.risk.queries.get_risk_snapshot_query import GetRiskSnapshotHandler
from application.risk.risk_desk import RiskDesk
from application.trading.trading_engine import TradingEngine
from server.interceptors.tracking import Lifecycle
from server.services.risk_audit import RiskAudit
from server.services.risk_controls import RiskControls
from server.services.risk_profiles import RiskProfiles
from server.services.risk_streams import RiskStreams
from server.services.risk_views import RiskViews


class RiskService(RiskProfiles, RiskControls, RiskViews, RiskStreams, RiskAudit):
    """RPCs of quantmesh.risk.v1.RiskService: another view of the writers that OrderService commands."""

    def __init__(
        self, engine: TradingEngine, desk: RiskDesk, market: Market, audit_log: AuditLog, lifecycle: Lifecycle
    ) -> None:
        RiskProfiles.__init__(self, engine)
        RiskControls.__init__(self, desk)
        RiskViews.__init__(self, engine, market)
        snapshots = GetRiskSnapshotHandler(engine, GetExposureHandler(engine, market.clock))
        RiskStreams.__init__(self, engine, snapshots, lifecycle)
        RiskAudit.__init__(self, audit_log)
