"""How far tables were read for outside services, and of what somebody was told already."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Max, QuerySet

from integrations.models import Mark, Parcel
from integrations.notify.addresses import PREFIX


def last_id(rows: QuerySet[Any]) -> int:
    return rows.aggregate(last=Max("pk"))["last"] or 0


def mark(name: str, now: int) -> Mark:
    """The mark of a table; a journal that is switched on begins with what comes after."""
    return Mark.objects.get_or_create(name=name, defaults={"start": now, "seen": now})[0]


def told(keys: Iterable[str]) -> set[str]:
    """Which of these somebody was told of; a channel that is added later hears no old stories."""
    rows = Parcel.objects.filter(lane__startswith=PREFIX, key__in=list(keys))
    return set(rows.values_list("key", flat=True))
