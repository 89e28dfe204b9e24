"""Addresses of the API."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from bots.api import audit, candles, deploy, docs, kill, lists, reads, rebalance, switching
from bots.outside.api import TradingViewAlert


class Anything(StringConverter):
    """Whatever is left of an address; Django's own `path` knows no line ends."""

    regex = "(?s:.+)"


register_converter(Anything, "anything")

urlpatterns = [
    path("bots", reads.Bots.as_view(), name="api-bots"),
    path("bots/<slug:slug>", reads.OneBot.as_view(), name="api-bot"),
    path("bots/<slug:slug>/cells", reads.Cells.as_view(), name="api-cells"),
    path("orders", lists.Orders.as_view(), name="api-orders"),
    path("fills", lists.Fills.as_view(), name="api-fills"),
    path("round-trips", lists.RoundTrips.as_view(), name="api-round-trips"),
    path("candles", candles.Candles.as_view(), name="api-candles"),
    path("export/orders.csv", lists.OrderExport.as_view(), name="api-export-orders"),
    path("export/fills.csv", lists.FillExport.as_view(), name="api-export-fills"),
    path(
        "export/round-trips.csv",
        lists.RoundTripExport.as_view(),
        name="api-export-round-trips",
    ),
    path("export/candles.csv", candles.CandleExport.as_view(), name="api-export-candles"),
    path("deploy", deploy.Deploy.as_view(), name="api-deploy"),
    path("rebalance", rebalance.Rebalance.as_view(), name="api-rebalance"),
    path("metrics", reads.Metrics.as_view(), name="api-metrics"),
    path("pause", switching.Pause.as_view(), name="api-pause"),
    path("resume", switching.Resume.as_view(), name="api-resume"),
    path("tv-alert", TradingViewAlert.as_view(), name="api-tv-alert"),
    path("kill", kill.Kill.as_view(), name="api-kill"),
    path("risk", reads.Risk.as_view(), name="api-risk"),
    path("audit", audit.Audit.as_view(), name="api-audit"),
    path("health", reads.Health.as_view(), name="api-health"),
    path("schema", docs.Schema.as_view(), name="api-schema"),
    path("docs", docs.Docs.as_view(), name="api-docs"),
    path("", reads.Nowhere.as_view(), name="api-root"),
    path("<anything:rest>", reads.Nowhere.as_view(), name="api-nowhere"),
]
