"""The HTTP API: reads for viewers, pause and resume for traders, health for everyone."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots import switches
from bots.api.errors import Conflict
from bots.api.idempotency import idempotent
from bots.api.permissions import MayRead, MaySteer
from bots.api.serializers import (
    BotQuery,
    FillQuery,
    FillRow,
    OrderQuery,
    OrderRow,
    RoundTripRow,
    Strict,
    SwitchBody,
)
from bots.control import NotPossible
from bots.models import Bot, Fill, Order, RoundTrip
from bots.reports import cards, health
from bots.roles import READERS, roles_of

State = Bot.State
_DOWN = {"status": health.DOWN}


def bot_named(slug: str) -> Bot:
    """The bot of that slug. Raises NotFound, naming the slugs that exist."""
    deployed = Bot.objects.exclude(config=None)
    bot = deployed.filter(slug=slug).first()
    if bot is None:
        slugs = ", ".join(deployed.values_list("slug", flat=True)) or "none yet"
        raise NotFound(f"no bot is named {slug!r}; the bots: {slugs}")
    return bot


class Bots(APIView):
    """All bots, as on the dashboard."""

    permission_classes = (MayRead,)

    def get(self, request: Request) -> Response:  # noqa: ARG002
        return Response({"bots": cards.cards()})


class OneBot(APIView):
    """One bot, as on the dashboard."""

    permission_classes = (MayRead,)

    def get(self, request: Request, slug: str) -> Response:  # noqa: ARG002
        return Response(cards.card(bot_named(slug)))


class Cells(APIView):
    """The cells of a bot, lowest first, and what each of them wants."""

    permission_classes = (MayRead,)

    def get(self, request: Request, slug: str) -> Response:  # noqa: ARG002
        return Response({"bot": slug, "cells": cards.card(bot_named(slug))["cells"]})


class NewestFirst(CursorPagination):
    """Pages of rows in the order in which they were recorded, the newest first."""

    ordering = "-id"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000


class Rows(ListAPIView[Any]):
    """A list that pages by cursor and takes only the filters it names."""

    permission_classes = (MayRead,)
    pagination_class = NewestFirst
    query: ClassVar[type[Strict]]
    columns: ClassVar[dict[str, str]] = {"bot": "bot__slug", "side": "side", "status": "status__in"}

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        query = self.query(data=self.request.query_params.dict())
        query.is_valid(raise_exception=True)
        given = {self.columns[name]: value for name, value in query.validated_data.items()}
        return queryset.filter(**given)


class Orders(Rows):
    """Orders of ours."""

    query = OrderQuery
    serializer_class = OrderRow
    queryset = Order.objects.select_related("bot", "config")


class Fills(Rows):
    """Executions of our orders."""

    query = FillQuery
    serializer_class = FillRow
    queryset = Fill.objects.select_related("bot", "order")


class RoundTrips(Rows):
    """Bought-and-sold passages of cells."""

    query = BotQuery
    serializer_class = RoundTripRow
    queryset = RoundTrip.objects.select_related("bot", "config")


class Switch(APIView):
    """One command for one bot or for all that it could concern."""

    permission_classes = (MaySteer,)
    concerned: ClassVar[tuple[str, ...]]
    change: ClassVar[Callable[..., Bot]]
    body: ClassVar[type[SwitchBody]] = SwitchBody

    @idempotent(repeatable=True)
    def post(self, request: Request) -> Response:
        body = self.body(data=request.data)
        body.is_valid(raise_exception=True)
        wish = body.validated_data
        self.prepare(wish)
        if "bot" in wish:
            bot = bot_named(wish["bot"])
            self._change([bot], wish["reason"])
            return Response(cards.card(bot))
        self._change(list(Bot.objects.filter(state__in=self.concerned)), wish["reason"])
        return Response({"bots": cards.cards()})

    def prepare(self, wish: dict[str, Any]) -> None:
        """Do what comes before any bot is changed; raises what forbids it."""

    def _change(self, bots: list[Bot], reason: str) -> None:
        """Try every bot, also after one that could not; raises Conflict with all that could not."""
        refused = []
        for bot in bots:
            try:
                type(self).change(bot, by=self.request.user.get_username(), reason=reason)
            except NotPossible as error:
                refused.append(str(error))
        if refused:
            others = "; the other bots are done" if len(bots) > len(refused) else ""
            raise Conflict("; ".join(refused) + others)


class Pause(Switch):
    """Withhold buys; sells rest. No new buy is sent after the answer."""

    concerned = (State.DEPLOYING, State.RUNNING, State.PAUSED)
    change = staticmethod(switches.pause)


class Resume(Switch):
    """Let paused bots buy again."""

    concerned = (State.RUNNING, State.PAUSED)
    change = staticmethod(switches.resume)


class Health(APIView):
    """Whether it works: one word for everyone, the parts for those who may read."""

    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        found = health.report()
        if found["status"] == health.DOWN:
            return Response(_DOWN, status=status.HTTP_503_SERVICE_UNAVAILABLE)
        if roles_of(request.user) & READERS:
            return Response(found)
        return Response({"status": found["status"]})

    def handle_exception(self, exc: Exception) -> Response:
        """Say "down" also where the database is needed to find out who asks."""
        if isinstance(exc, OperationalError | InterfaceError):
            return Response(_DOWN, status=status.HTTP_503_SERVICE_UNAVAILABLE)
        return super().handle_exception(exc)


class Nowhere(APIView):
    """Any other address under /api/."""

    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:  # noqa: ARG002
        raise NotFound(f"nothing is at {request.path}; see GET /api/bots and GET /api/health")
