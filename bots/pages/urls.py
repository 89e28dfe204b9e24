"""Addresses of the pages beside the dashboard."""

from django.urls import path

from bots.pages import about, audit, backtests, bot, grid, kill, market, orders, recentre, risk

urlpatterns = [
    path("health/", about.health_page, name="health"),
    path("kill/", kill.kill, name="kill"),
    path("risk/", risk.page, name="risk"),
    path("risk/halts/<int:number>/lift/", risk.lift, name="lift"),
    path("audit/", audit.page, name="audit"),
    path("audit/export.csv", audit.export, name="audit-csv"),
    path("audit/verify/", audit.verify, name="audit-verify"),
    path("backtests/", backtests.page, name="backtests"),
    path("backtests/new/", backtests.new, name="backtest-new"),
    path("backtests/compare/", backtests.compare, name="compare"),
    path("backtests/compare/figure/", backtests.compare_figure, name="compare-figure"),
    path("backtests/<int:number>/", backtests.run, name="backtest"),
    path("backtests/<int:number>/progress/", backtests.progress, name="backtest-progress"),
    path("backtests/<int:number>/change/", backtests.change, name="backtest-change"),
    path("backtests/<int:number>/figures/<slug:name>/", backtests.figure, name="backtest-figure"),
    path("backtests/<int:number>/export.<str:kind>", backtests.export, name="backtest-export"),
    path("help/", about.help_page, name="help"),
    path("preferences/", about.preferences, name="preferences"),
    path("market/", market.page, name="market"),
    path("market/<slug:symbol>/", market.pair, name="pair"),
    path("market/<slug:symbol>/figure/", market.figure, name="candles"),
    path("orders/", orders.page, name="orders"),
    path("orders/export.csv", orders.export, name="orders-csv"),
    path("bots/new/", grid.new, name="new"),
    path("bots/<slug:slug>/", bot.page, name="bot"),
    path("bots/<slug:slug>/figures/<slug:name>/", bot.figure, name="figure"),
    path("bots/<slug:slug>/recentre/", recentre.recentre, name="recentre"),
    path("bots/<slug:slug>/stop/", bot.stop, name="stop"),
]
