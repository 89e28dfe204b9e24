"""Addresses of the API."""

from django.urls import path

from bots.api import candles, deploy, metrics, reads, rebalance, risk
from bots.outside.api import TradingViewAlert

urlpatterns = [
    path("bots", reads.Bots.as_view(), name="api-bots"),
    path("bots/<slug:slug>", reads.OneBot.as_view(), name="api-bot"),
    path("bots/<slug:slug>/cells", reads.Cells.as_view(), name="api-cells"),
    path("orders", reads.Orders.as_view(), name="api-orders"),
    path("fills", reads.Fills.as_view(), name="api-fills"),
    path("round-trips", reads.RoundTrips.as_view(), name="api-round-trips"),
    path("candles", candles.Candles.as_view(), name="api-candles"),
    path("export/candles.csv", candles.CandleExport.as_view(), name="api-export-candles"),
    path("deploy", deploy.Deploy.as_view(), name="api-deploy"),
    path("rebalance", rebalance.Rebalance.as_view(), name="api-rebalance"),
    path("metrics", metrics.Metrics.as_view(), name="api-metrics"),
    path("pause", reads.Pause.as_view(), name="api-pause"),
    path("resume", risk.Resume.as_view(), name="api-resume"),
    path("tv-alert", TradingViewAlert.as_view(), name="api-tv-alert"),
    path("kill", risk.Kill.as_view(), name="api-kill"),
    path("risk", risk.Risk.as_view(), name="api-risk"),
    path("audit", risk.Audit.as_view(), name="api-audit"),
    path("health", reads.Health.as_view(), name="api-health"),
    path("", reads.Nowhere.as_view(), name="api-root"),
    path("<path:rest>", reads.Nowhere.as_view(), name="api-nowhere"),
]
