"""Addresses of the pages beside the dashboard."""

from django.urls import path

from bots.pages import about, bot, grid, kill, market, orders

urlpatterns = [
    path("health/", about.health_page, name="health"),
    path("kill/", kill.kill, name="kill"),
    path("help/", about.help_page, name="help"),
    path("preferences/", about.preferences, name="preferences"),
    path("market/", market.page, name="market"),
    path("orders/", orders.page, name="orders"),
    path("orders/export.csv", orders.export, name="orders-csv"),
    path("bots/new/", grid.new, name="new"),
    path("bots/<slug:slug>/", bot.page, name="bot"),
    path("bots/<slug:slug>/figures/<slug:name>/", bot.figure, name="figure"),
    path("bots/<slug:slug>/stop/", bot.stop, name="stop"),
]
