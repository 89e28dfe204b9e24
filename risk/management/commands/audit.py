"""`manage.py audit`: the newest rows of the audit trail, or a proof that none was touched."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from risk import audit
from risk.models import AuditRow


class Command(BaseCommand):
    """Print or verify the audit trail."""

    help = "Print the newest rows of the audit trail; --verify proves the whole chain."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verify", action="store_true", help="check every seal and link")
        parser.add_argument("--last", type=int, default=20, metavar="N", help="rows to print")

    def handle(self, *args: object, verify: bool, last: int, **options: object) -> None:
        if verify:
            self._verify()
            return
        for row in reversed(AuditRow.objects.order_by("-number")[: max(last, 0)]):
            changed = f" {row.before} -> {row.after}" if row.before or row.after else ""
            why = f": {row.reason}" if row.reason else ""
            self.stdout.write(
                f"{row.number} {row.at:%Y-%m-%d %H:%M:%S} {row.who} ({row.origin or 'not told'}) "
                f"{row.what} {row.subject}{changed}{why}"
            )

    def _verify(self) -> None:
        verdict = audit.verify()
        for fault in verdict.faults:
            self.stderr.write(f"row {fault.number}: {fault.complaint}")
        if verdict.faults:
            raise CommandError(f"{len(verdict.faults)} faults in {verdict.rows} rows")
        self.stdout.write(f"{verdict.rows} rows, whole and in order; newest seal {verdict.head}")
