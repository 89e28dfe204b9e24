"""Addresses of the pages beside the dashboard."""

from django.urls import path

from bots.pages import bot, orders

urlpatterns = [
    path("orders/", orders.page, name="orders"),
    path("orders/export.csv", orders.export, name="orders-csv"),
    path("bots/<slug:slug>/", bot.page, name="bot"),
    path("bots/<slug:slug>/figures/<slug:name>/", bot.figure, name="figure"),
    path("bots/<slug:slug>/stop/", bot.stop, name="stop"),
]
