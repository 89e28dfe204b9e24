"""A process that we look after: started, read, asked, signalled, and when to start it again."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

COLOURS = (36, 33, 35, 32, 34, 31)


class Log:
    """Writes lines of many processes to one output, each behind the name of its process."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._colour = self._stream.isatty()
        self._names: dict[str, int] = {}
        self._turn = threading.Lock()

    def write(self, name: str, text: str) -> None:
        """Write one line; a reader who went away must not stop the processes."""
        with self._turn, contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{self._prefix(name)} {text}\n")
            self._stream.flush()

    def _prefix(self, name: str) -> str:
        label = f"{name:9}|"
        if not self._colour:
            return label
        colour = COLOURS[self._names.setdefault(name, len(self._names)) % len(COLOURS)]
        return f"\x1b[{colour}m{label}\x1b[0m"


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a process is started again, in seconds."""

    first: float = 0.2
    longest: float = 30.0
    steady: float = 30.0
    """A process that lived so long starts over with the shortest wait."""

    def wait(self, failures: int) -> float:
        """Return the wait after so many short lives in a row, the last one included."""
        return min(self.first * 2.0 ** min(max(failures - 1, 0), 16), self.longest)


@dataclass
class Child:
    """One process: how it is started and asked, and what became of it."""

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool] | None = None
    """Asked until it says yes, before the next step; None: started is ready enough."""
    stop_signal: signal.Signals = signal.SIGTERM
    env: Mapping[str, str] | None = None
    keep: Sequence[int] = ()
    """File descriptors of locks that the process keeps while it lives."""

    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    reader: threading.Thread | None = field(default=None, init=False)
    last_line: str = field(default="no output", init=False)
    born: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)
    due: float | None = field(default=None, init=False)
    """When to start it again; None while it runs."""

    def start(self, out: "Log") -> None:
        """Start the process; its output goes line by line to the log."""
        self.born, self.due = time.monotonic(), None
        process = subprocess.Popen(
            list(self.argv),
            env=None if self.env is None else dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only us: we stop the children in order
            pass_fds=list(self.keep),
        )
        self.process = process
        self.reader = threading.Thread(target=self._read, args=(process, out), daemon=True)
        self.reader.start()

    def _read(self, process: subprocess.Popen[bytes], out: "Log") -> None:
        for raw in process.stdout or ():
            text = raw.decode(errors="replace").rstrip()
            self.last_line = text or self.last_line
            out.write(self.name, text)

    def exit_code(self) -> int | None:
        """Return the exit code, None while it runs or was never started."""
        return None if self.process is None else self.process.poll()

    def runs(self) -> bool:
        """Say whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """Return the last line that an ended process wrote."""
        if self.reader is not None:
            self.reader.join(1.0)
        return self.last_line

    def send(self, number: signal.Signals) -> None:
        """Signal the process; a kill takes along whatever it started itself."""
        if self.process is None or not self.runs():
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def ends_by(self, deadline: float) -> bool:
        """Wait for the end until a moment of the monotonic clock; say whether it came."""
        if self.process is None:
            return True
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True
