"""The throw-away PostgreSQL of the tests, from another folder and with TimescaleDB loaded."""

from dataclasses import dataclass
from pathlib import Path

from gridtrader.services import Postgres


@dataclass(frozen=True)
class TimescalePostgres(Postgres):
    """As the embedded server, but for its programs."""

    programs: Path = Path()

    @classmethod
    def like(cls, postgres: Postgres, programs: Path) -> "TimescalePostgres":
        return cls(postgres.home, postgres.port, postgres.durable, programs)

    def argv(self) -> list[str]:
        """Return the command of the server."""
        options = {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}
        return [*super().argv(), *(part for k, v in options.items() for part in ("-c", f"{k}={v}"))]

    def _program(self, name: str) -> str:
        return str(self.programs / "bin" / name)
