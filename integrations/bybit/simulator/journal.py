"""The simulator's memory on disk: a JSON line for each thing that happened, before its answer.

Neither a `kill -9` nor a power cut loses anything that was answered: a line is one write to the
kernel, lines are forced to the disk before anybody is told, and a torn last line is dropped, for
its answer was never sent. Only how far time has come may be lost.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integrations.bybit.simulator.facts import Event, packed, unpacked

VERSION = 1


class JournalError(Exception):
    """The state file cannot be used; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line says: the events of one moment, a step by hand, or just that time passed.

    Where the state went over to another tape, `tape` is its fingerprint and `name` its name.
    """

    now: int  # the tape's clock when the events were complete, ms
    until: int  # no message stamped later than this was sent before the next line
    events: Sequence[Event] = field(default_factory=tuple)
    step: dict[str, str] = field(default_factory=dict)  # symbol -> price reached at `now`
    prices: dict[str, str] = field(default_factory=dict)  # symbol -> price at `now` on the tape
    tape: str = ""
    name: str = ""

    def line(self) -> bytes:
        row: dict[str, Any] = {"now": self.now, "until": self.until}
        if self.events:
            row["events"] = [packed(event) for event in self.events]
        if self.step:
            row["step"] = self.step
        row |= {
            key: value
            for key, value in (("prices", self.prices), ("tape", self.tape), ("name", self.name))
            if value
        }
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"

    @property
    def only_time(self) -> bool:
        return not self.events and not self.step and not self.tape


class Journal:
    """An append-only file, or nothing at all when `path` is None (then the state dies with us)."""

    def __init__(self, path: Path | None, tape: str, name: str = "") -> None:
        """Open and lock the file. Raises JournalError: not writable, in use, of another version.

        `tape` is the fingerprint that a new file gets; an old file keeps the one it began with.
        """
        self.tape, self.name = tape, name
        self._path = path
        self._lock = self._file = -1
        self._forced = True  # every line that matters is on the disk
        self._entries: list[Entry] = []
        if path is None:
            return
        try:
            self._open(path)
        except BlockingIOError as error:
            self.close()
            raise JournalError(f"state file {path} is in use by another simulator") from error
        except OSError as error:
            self.close()
            raise JournalError(f"state file {path} cannot be used: {error}") from error
        except JournalError:
            self.close()
            raise

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._entries = self._read(path) if path.exists() else []
        self._compact(path)

    def entries(self) -> Iterator[Entry]:
        """What the file said when it was opened; it can be read once."""
        entries, self._entries = self._entries, []
        return iter(entries)

    def write(self, entry: Entry) -> None:
        """Append one line; when this returns, a crash of ours cannot lose it."""
        self._forced = self._forced and entry.only_time
        if self._file >= 0:
            line, before = entry.line(), os.fstat(self._file).st_size
            try:
                whole = os.write(self._file, line) == len(line)
            except OSError as error:
                raise JournalError(f"state file {self._path}: {error}") from error
            if not whole:
                os.ftruncate(self._file, before)
                raise JournalError(f"state file {self._path}: the disk is full")

    def force(self) -> None:
        """Have all lines on the disk, so that a power cut cannot lose them either."""
        if self._forced or self._file < 0:
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise JournalError(f"state file {self._path}: {error}") from error
        self._forced = True

    def close(self) -> None:
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1

    def _read(self, path: Path) -> list[Entry]:
        lines = path.read_bytes().split(b"\n")
        lines.pop()  # empty after a whole last line, else the torn one
        entries = [self._entry(path, number, line) for number, line in enumerate(lines[1:], 2)]
        if lines:
            self._read_header(path, lines[0], keep=bool(entries))
        return entries

    def _read_header(self, path: Path, line: bytes, *, keep: bool) -> None:
        try:
            header = json.loads(line)
            version, tape, name = header["simulator"], header["tape"], header.get("name", "")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise JournalError(f"state file {path} is none of the simulator's") from error
        if version != VERSION:
            raise JournalError(
                f"state file {path} was made by version {version} of the simulator, this is"
                f" {VERSION}; give another --state file"
            )
        if keep:
            self.tape, self.name = str(tape), str(name)

    @staticmethod
    def _entry(path: Path, number: int, line: bytes) -> Entry:
        try:
            row = json.loads(line)
            events = tuple(unpacked(event) for event in row.get("events", ()))
            rest = {name: row[name] for name in ("step", "prices", "tape", "name") if name in row}
            return Entry(int(row["now"]), int(row["until"]), events, **rest)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise JournalError(f"state file {path} is damaged in line {number}: {error}") from error

    def _compact(self, path: Path) -> None:
        """Write the file anew without the lines that only say that time passed, but the last.

        The last that also tells prices stays too: another tape would go on from them.
        """
        header = {"simulator": VERSION, "tape": self.tape, "name": self.name}
        priced = [number for number, entry in enumerate(self._entries) if entry.prices]
        fresh = path.with_name(path.name + ".new")
        kept = {len(self._entries) - 1, *priced[-1:]}
        with fresh.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(json.dumps(header).encode() + b"\n")
            for number, entry in enumerate(self._entries):
                if number in kept or not entry.only_time:
                    file.write(entry.line())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)  # the new name, too
        os.close(folder)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
