"""GET /api/schema, the OpenAPI document, and /api/docs, a page that shows it."""

from functools import cache
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http.response import HttpResponseBase
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots.api.asking import asked
from bots.api.permissions import MayRead
from bots.api.schema import components
from bots.api.serializers import Nothing


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document: the same for everybody, and as long as the process lives."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    for kind, parts in components().items():
        found["components"].setdefault(kind, {}).update(parts)
    return found


class Schema(APIView):
    """This document."""

    permission_classes = (MayRead,)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        asked(request, Nothing)
        return Response(document())


class Docs(APIView):
    """The page: Swagger UI from our own static files."""

    permission_classes = (MayRead,)
    renderer_classes = (JSONRenderer, TemplateHTMLRenderer)
    schema = None

    def get(self, request: Request) -> Response:
        asked(request, Nothing)
        return Response(template_name="docs.html")

    def handle_exception(self, exc: Exception) -> HttpResponseBase:
        """Lead people to the login; programs are answered as everywhere."""
        request = self.request
        chosen = getattr(request, "accepted_renderer", None)
        if isinstance(exc, NotAuthenticated) and isinstance(chosen, TemplateHTMLRenderer):
            return redirect_to_login(request.get_full_path())
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)
