"""Brings processes up in order, brings those back that end, and takes all down in reverse order.

It must run in the main thread: signals arrive there, and Linux ties a child to the thread that
started it.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gridtrader.child import Backoff, Child, Log

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
OFTEN = 5  # that many short lives in a row are worth a louder line


class StartError(Exception):
    """A process did not come up; the text is one line to show."""


class Stopping(Exception):
    """Somebody asked us to stop."""


@dataclass(frozen=True)
class Step:
    """Processes that come up together; with `once`, commands that must end well before going on."""

    children: Sequence[Child]
    once: bool = False
    patience: float = 30.0
    """Seconds for the step to be done."""
    grace: float = 3.0
    """Seconds that the processes get for ending by themselves."""
    before: Callable[[], None] | None = None


class Supervisor:
    """Runs steps of processes until it is told to stop."""

    def __init__(self, steps: Sequence[Step], *, log: Log, backoff: Backoff | None = None) -> None:
        self._steps = steps
        self._log = log
        self._backoff = backoff or Backoff()
        self._started: list[Step] = []  # to be taken down
        self._kept: list[Child] = []  # to be started again when they end
        self._stopping = False
        self._waker, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def say(self, text: str) -> None:
        """Write a line of our own."""
        self._log.write("up", text)

    def run(self, announce: Callable[[], None] = lambda: None) -> None:
        """Bring everything up, announce it, keep it up until a signal, take it down.

        Raises StartError when a process does not come up the first time.
        """
        with self._signals():
            try:
                for step in self._steps:
                    self._bring_up(step)
                announce()
                while True:
                    self._pause(5.0)
            except Stopping:
                self.say("stopping")
            finally:
                self._take_down()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def note(number: int, _: object) -> None:
            self._stopping = self._stopping or number in STOP_SIGNALS

        watched = (*STOP_SIGNALS, signal.SIGCHLD)
        before = {number: signal.signal(number, note) for number in watched}
        # A byte in the pipe ends the sleep in _pause; a lock in the handler could deadlock.
        bell = signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(bell)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _bring_up(self, step: Step) -> None:
        if step.before:
            step.before()
        self._started.append(step)
        for child in step.children:
            child.start(self._log)
        deadline = time.monotonic() + step.patience
        for child in step.children:
            while not self._has_come_up(child, once=step.once):
                if time.monotonic() > deadline:
                    raise StartError(f"{child.name} is not ready after {step.patience:g} s")
                self._pause(0.05)
        if not step.once:
            self._kept.extend(step.children)

    def _has_come_up(self, child: Child, *, once: bool) -> bool:
        code = child.exit_code()
        if once and code == 0:
            return True
        if code is not None:
            raise StartError(f"{child.name} {ended(code)}: {child.last_words()}")
        return not once and (child.ready is None or child.ready())

    def _pause(self, seconds: float) -> None:
        """Sleep until something happens, then start again what ended; raises Stopping."""
        now = time.monotonic()
        due = [child.due for child in self._kept if child.due is not None]
        span = min([now + seconds, *due]) - now
        if not self._stopping and select.select([self._waker], [], [], max(span, 0.0))[0]:
            os.read(self._waker, 4096)
        if self._stopping:
            raise Stopping
        for child in self._kept:
            self._look_after(child)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.due is None and not child.runs():
            lived = now - child.born
            child.failures = 0 if lived >= self._backoff.steady else child.failures + 1
            wait = self._backoff.wait(child.failures)
            child.due = now + wait
            code = child.exit_code()
            often = f" for the {child.failures}th time in a row" if child.failures >= OFTEN else ""
            self.say(
                f"{child.name} {ended(code or 0)}{often} after {lived:.1f} s; "
                f"starting it again in {wait:.1f} s"
            )
        elif child.due is not None and now >= child.due:
            child.start(self._log)

    def _take_down(self) -> None:
        for step in reversed(self._started):
            deadline = time.monotonic() + step.grace
            for child in step.children:
                child.send(child.stop_signal)
            for child in step.children:
                if not child.ends_by(deadline):
                    self.say(f"{child.name} did not end within {step.grace:g} s and is killed")
                    child.send(signal.SIGKILL)
                    child.ends_by(time.monotonic() + 1.0)
        self.say("stopped")


def ended(code: int) -> str:
    """Say in words how a process ended."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
