"""Signs of life: when each loop was last seen, by the machine's clock."""

from datetime import datetime, timedelta

from django.utils import timezone

from risk.models import Pulse

STREAM, WATCHDOG, BEAT, FEED = "stream", "watchdog", "beat", "feed"


def beat(*names: str) -> None:
    """These loops are alive."""
    now = timezone.now()
    Pulse.objects.bulk_create(
        [Pulse(name=name, at=now) for name in sorted(names)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at"],
    )


def heard(name: str) -> datetime | None:
    """When a loop was last heard of; None when it never was."""
    return Pulse.objects.filter(name=name).values_list("at", flat=True).first()


def silence(name: str) -> timedelta | None:
    """For how long nothing was heard of a loop; None when it never was."""
    seen = heard(name)
    return None if seen is None else timezone.now() - seen
