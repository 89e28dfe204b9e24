"""Addresses of the API."""

from django.urls import path

from bots import api, api_candles, api_deploy, api_metrics, api_rebalance, api_risk
from bots.outside.api import TradingViewAlert

urlpatterns = [
    path("bots", api.Bots.as_view(), name="api-bots"),
    path("bots/<slug:slug>", api.OneBot.as_view(), name="api-bot"),
    path("bots/<slug:slug>/cells", api.Cells.as_view(), name="api-cells"),
    path("orders", api.Orders.as_view(), name="api-orders"),
    path("fills", api.Fills.as_view(), name="api-fills"),
    path("round-trips", api.RoundTrips.as_view(), name="api-round-trips"),
    path("candles", api_candles.Candles.as_view(), name="api-candles"),
    path("export/candles.csv", api_candles.CandleExport.as_view(), name="api-export-candles"),
    path("deploy", api_deploy.Deploy.as_view(), name="api-deploy"),
    path("rebalance", api_rebalance.Rebalance.as_view(), name="api-rebalance"),
    path("metrics", api_metrics.Metrics.as_view(), name="api-metrics"),
    path("pause", api.Pause.as_view(), name="api-pause"),
    path("resume", api_risk.Resume.as_view(), name="api-resume"),
    path("tv-alert", TradingViewAlert.as_view(), name="api-tv-alert"),
    path("kill", api_risk.Kill.as_view(), name="api-kill"),
    path("risk", api_risk.Risk.as_view(), name="api-risk"),
    path("audit", api_risk.Audit.as_view(), name="api-audit"),
    path("health", api.Health.as_view(), name="api-health"),
    path("", api.Nowhere.as_view(), name="api-root"),
    path("<path:rest>", api.Nowhere.as_view(), name="api-nowhere"),
]
