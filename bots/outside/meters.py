"""What Prometheus is told: counts and ages, read from PostgreSQL and Redis when it asks.

No process counts for itself, so it does not matter which of them is asked, or how many there are,
and a restart sets nothing back. Money is not told here: whoever scrapes need not know it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count, DurationField, ExpressionWrapper, F, Min, Q, Sum
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bots.models import Bot, Fill, Order, RoundTrip
from bots.reports import health
from integrations.models import Alert, Parcel
from market.models import Price
from risk.models import ApiOutcome, Guard, GuardEvent, Halt, Pulse

NAME = "gridtrader"
BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_GUARD = {Guard.State.CLEAR: 0, Guard.State.WARNING: 1, Guard.State.TRIPPED: 2}
_REDIS_PATIENCE_S = 1.0
_LATENCY = ExpressionWrapper(F("acknowledged_at") - F("caused_at"), output_field=DurationField())

Told = tuple[tuple[str, ...], float]
"""Values of the labels, and the figure."""


class Meters(Collector):
    """Everything, at each asking."""

    def collect(self) -> Iterator[Metric]:
        """What stands when asked; without a database only that it is away."""
        found = health.report()
        parts = found["parts"].items()
        yield _gauge(
            "part_ok",
            "1 while a part of the system works, as /api/health tells",
            ("part",),
            [((name,), float(part["status"] == health.OK)) for name, part in parts],
        )
        yield _gauge("queue_waiting", "Tasks that wait for a worker", (), _queue())
        if found["status"] != health.DOWN:
            for tell in (_counted, _gauged, _latencies):
                yield from tell()


def scrape() -> bytes:
    """All figures in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(Meters())
    return generate_latest(registry)


def _counted() -> Iterator[Metric]:
    """What only grows."""
    sent = Order.objects.exclude(sent_at=None)
    yield _counter(
        "ticks", "Looks at a bot under its lease", ("bot",),
        [((bot.slug,), bot.epoch) for bot in Bot.objects.all()],
    )  # fmt: skip
    yield _counter(
        "orders_sent", "Orders sent to the exchange", ("bot", "side"),
        _by(sent, "bot__slug", "side"),
    )  # fmt: skip
    yield _counter(
        "orders_closed", "Orders that are over, by how", ("bot", "status"),
        _by(Order.objects.filter(settled=True), "bot__slug", "status"),
    )  # fmt: skip
    yield _counter(
        "fills", "Executions of our orders", ("bot", "side", "is_maker"),
        _by(Fill.objects.all(), "bot__slug", "side", "is_maker"),
    )  # fmt: skip
    yield _counter(
        "round_trips", "Passages of cells, bought and sold", ("bot",),
        _by(RoundTrip.objects.all(), "bot__slug"),
    )  # fmt: skip
    yield _counter(
        "exchange_calls", "Calls of the exchange by its code: 0 is well, none is no answer",
        ("code",), [((row.code,), row.calls) for row in ApiOutcome.objects.all()],
    )  # fmt: skip
    yield _counter(
        "guard_changes", "Times that a guard came into a state", ("guard", "state"),
        _by(GuardEvent.objects.all(), "name", "state"),
    )  # fmt: skip


def _gauged() -> Iterator[Metric]:
    """What stands now."""
    now = timezone.now()

    def age(at: datetime) -> float:
        return (now - at).total_seconds()

    yield _gauge(
        "orders_waiting", "Orders that rest or are on their way", ("bot", "status"),
        _by(Order.objects.filter(settled=False), "bot__slug", "status"),
    )  # fmt: skip
    yield _gauge(
        "bots", "Bots in a state", ("state",), _by(Bot.objects.exclude(config=None), "state")
    )
    yield _gauge(
        "guard_state", "0 clear, 1 warning, 2 tripped", ("guard", "subject"),
        [((row.name, row.subject), _GUARD[row.state]) for row in Guard.objects.all()],
    )  # fmt: skip
    yield _gauge(
        "halts_open", "Halts and kills that stand", ("kind",),
        _by(Halt.objects.filter(lifted_at=None), "kind"),
    )  # fmt: skip
    yield _gauge(
        "loop_age_seconds", "Since a loop or stream was last heard of", ("loop",),
        [((row.name,), age(row.at)) for row in Pulse.objects.all()],
    )  # fmt: skip
    yield _gauge(
        "price_age_seconds", "Since the newest price of a pair came in", ("symbol",),
        [((row.symbol,), age(row.received_at)) for row in Price.objects.all()],
    )  # fmt: skip
    waiting = Parcel.objects.filter(processed_at=None).order_by().values_list("lane")
    lanes = list(waiting.annotate(Count("id"), Min("created_at")))
    yield _gauge(
        "outbox_waiting", "Messages that an outside service has not taken", ("lane",),
        [((lane,), count) for lane, count, _ in lanes],
    )  # fmt: skip
    yield _gauge(
        "outbox_oldest_seconds", "Age of the oldest of them", ("lane",),
        [((lane,), age(oldest)) for lane, _, oldest in lanes],
    )  # fmt: skip
    alerts = Alert.objects.filter(done_at=None).count()
    yield _gauge("alerts_waiting", "Alerts that nobody has applied yet", (), [((), alerts)])


def _latencies() -> Iterator[Metric]:
    """From a fill's arrival to the acknowledgement of the order that answers it, per bot."""
    answered = Order.objects.exclude(caused_at=None).exclude(acknowledged_at=None)
    within = {
        f"within_{place}": Count("id", filter=Q(latency__lte=timedelta(seconds=edge)))
        for place, edge in enumerate(BUCKETS_S)
    }
    rows = (
        answered.annotate(latency=_LATENCY)
        .order_by()
        .values("bot__slug")
        .annotate(all=Count("id"), took=Sum("latency"), **within)
    )
    family = HistogramMetricFamily(
        f"{NAME}_order_latency_seconds",
        "From a fill's arrival to the acknowledgement of its counter order",
        labels=["bot"],
    )
    for row in rows:
        edges = [(str(edge), row[f"within_{place}"]) for place, edge in enumerate(BUCKETS_S)]
        family.add_metric(
            [row["bot__slug"]], [*edges, ("+Inf", row["all"])], row["took"].total_seconds()
        )
    yield family


def _queue() -> list[Told]:
    """How many tasks wait; nothing while Redis is away."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    link = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=_REDIS_PATIENCE_S,
        socket_timeout=_REDIS_PATIENCE_S,
    )
    try:
        with link:
            return [((), link.llen(f"{prefix}{settings.CELERY_TASK_DEFAULT_QUEUE}"))]
    except redis.RedisError:
        return []


def _by(rows: Any, *labels: str) -> list[Told]:  # noqa: ANN401 - a query set of any model
    """How many rows there are of each combination of labels."""
    counted = rows.order_by().values_list(*labels).annotate(Count("pk"))
    return [(tuple(str(label) for label in given), count) for *given, count in counted]


def _counter(name: str, words: str, labels: tuple[str, ...], told: Iterable[Told]) -> Metric:
    return _filled(CounterMetricFamily, name, words, labels, told)


def _gauge(name: str, words: str, labels: tuple[str, ...], told: Iterable[Told]) -> Metric:
    return _filled(GaugeMetricFamily, name, words, labels, told)


def _filled(
    kind: Callable[..., Any], name: str, words: str, labels: tuple[str, ...], told: Iterable[Told]
) -> Metric:
    family = kind(f"{NAME}_{name}", words, labels=labels)
    for values, figure in told:
        family.add_metric(values, figure)
    metric: Metric = family
    return metric
