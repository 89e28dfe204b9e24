"""GET /api/audit: who changed what, from where and why."""

from collections.abc import Mapping
from typing import ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from bots.api.fields import Text
from bots.api.paging import Rows
from bots.api.schema import listed
from bots.api.serializers import Span
from risk.models import AuditRow


@extend_schema_field({"type": "object", "additionalProperties": True})
class Facts(serializers.JSONField):
    """What was or is, by name."""


class AuditEntry(serializers.ModelSerializer[AuditRow]):
    """A row of the audit trail."""

    before = Facts()
    after = Facts()

    class Meta:
        model = AuditRow
        fields = [
            "number", "at", "who", "origin", "what", "subject", "before", "after", "reason",
            "previous", "seal",
        ]  # fmt: skip
        read_only_fields = fields


class AuditQuery(Span):
    """Which rows."""

    what = Text(required=False, max_length=60)
    subject = Text(required=False, max_length=64)
    who = Text(required=False, max_length=150)


@listed(AuditQuery, AuditEntry)
class Audit(Rows):
    """Who changed what, from where and why; the newest first."""

    query = AuditQuery
    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("what", "subject", "who")}
    row = AuditEntry
    rows = AuditRow.objects.all()
    time = "at"
