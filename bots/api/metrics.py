"""GET /api/metrics: the targets and what was reached."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots.api.permissions import MayRead
from bots.reports import metrics


class Metrics(APIView):
    """Fills a day, capture, APR, month, drawdown, latency, beside the bands they should be in."""

    permission_classes = (MayRead,)

    def get(self, request: Request) -> Response:  # noqa: ARG002
        return Response(metrics.metrics())
