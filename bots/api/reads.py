"""What the bots are and whether all works: reads for viewers, health for everyone."""

from django.db import InterfaceError, OperationalError
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots.api import answers
from bots.api.asking import asked
from bots.api.fields import Symbol
from bots.api.paging import PAGING, PARAMETERS, NewestFirst
from bots.api.permissions import MayRead, opens
from bots.api.serializers import Nothing, Strict
from bots.models import Bot
from bots.reports import cards, health, metrics
from bots.reports import risk as risk_report
from bots.roles import READERS

_DOWN = {"status": health.DOWN}


def bot_named(slug: str) -> Bot:
    """The bot of that slug. Raises NotFound, naming the slugs that exist."""
    deployed = Bot.objects.exclude(config=None)
    bot = deployed.filter(slug=slug).first()
    if bot is None:
        slugs = ", ".join(deployed.values_list("slug", flat=True)) or "none yet"
        raise NotFound(f"no bot is named {slug!r}; the bots: {slugs}")
    return bot


class BotsQuery(Strict):
    """Which bots."""

    state = serializers.ChoiceField(
        Bot.State.choices,
        required=False,
        error_messages={"invalid_choice": f"accepted: {', '.join(Bot.State.values)}"},
    )
    symbol = Symbol(required=False)


class InOrder(NewestFirst):
    """Pages of bots in the dashboard's order."""

    ordering = ("position", "slug")


class Bots(APIView):
    """All bots, as on the dashboard."""

    permission_classes = (MayRead,)

    @extend_schema(
        operation_id="bots_list",
        parameters=[BotsQuery, *PARAMETERS],
        responses=inline_serializer(
            "BotPage",
            {
                "next": serializers.URLField(allow_null=True),
                "previous": serializers.URLField(allow_null=True),
                "bots": answers.BotCard(many=True),
            },
        ),
    )
    def get(self, request: Request) -> Response:
        wish = asked(request, BotsQuery, PAGING)
        pages = InOrder()
        deployed = Bot.objects.exclude(config=None).select_related("config")
        found = pages.paginate_queryset(deployed.filter(**wish), request, self)
        return Response(
            {
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
                "bots": cards.cards(found),
            }
        )


class OneBot(APIView):
    """One bot, as on the dashboard."""

    permission_classes = (MayRead,)

    @extend_schema(responses=answers.BotCard)
    def get(self, request: Request, slug: str) -> Response:
        asked(request, Nothing)
        return Response(cards.card(bot_named(slug)))


class Cells(APIView):
    """The cells of a bot, lowest first, and what each of them wants."""

    permission_classes = (MayRead,)

    @extend_schema(responses=answers.BotCells)
    def get(self, request: Request, slug: str) -> Response:
        asked(request, Nothing)
        return Response({"bot": slug, "cells": cards.card(bot_named(slug))["cells"]})


class Metrics(APIView):
    """Fills a day, capture, APR, month, drawdown, latency, beside the bands they should be in."""

    permission_classes = (MayRead,)

    @extend_schema(responses=answers.Figures)
    def get(self, request: Request) -> Response:
        asked(request, Nothing)
        return Response(metrics.metrics())


class Risk(APIView):
    """What is at stake, what watches, what stops trading now, and what did before."""

    permission_classes = (MayRead,)

    @extend_schema(responses=answers.RiskReport)
    def get(self, request: Request) -> Response:
        asked(request, Nothing)
        return Response(risk_report.report())


class Health(APIView):
    """Whether it works: one word for everyone, the parts for those who may read."""

    permission_classes = (AllowAny,)
    throttle_classes = ()  # who watches it must not be told that it is busy

    @extend_schema(
        responses={
            200: answers.HealthReport,
            503: OpenApiResponse(answers.HealthReport, "The database does not answer."),
        },
        auth=[{}, {"token": []}, {"cookieAuth": []}],
    )
    def get(self, request: Request) -> Response:
        asked(request, Nothing)
        found = health.report()
        if found["status"] == health.DOWN:
            return Response(_DOWN, status=status.HTTP_503_SERVICE_UNAVAILABLE)
        if opens(request, READERS):
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
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:  # noqa: ARG002
        raise NotFound(f"nothing is at {request.path}; see GET /api/bots and GET /api/health")
