"""Things put off: done when the machine's clock has passed their time, in that order."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from integrations.bybit.simulator.wire import machine_ms

LOOK = 0.02  # s between two looks at the clock while something waits


class Later:
    """Work for later. The clock is asked, not counted on: a test may move it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, ms: int, work: Callable[[], None]) -> None:
        """Have `work` done in `ms`."""
        heapq.heappush(self._waiting, (machine_ms() + ms, next(self._numbers), work))
        self._arm()

    async def pause(self, ms: int) -> None:
        """Go on in `ms`."""
        over = asyncio.get_running_loop().create_future()
        self.put(ms, lambda: None if over.done() else over.set_result(None))
        await over

    async def catch_up(self) -> None:
        """Do what is due, and let those who waited for it go on first."""
        if self._run():
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _run(self) -> bool:
        """Do what is due; True when there was any."""
        done = False
        while self._waiting and self._waiting[0][0] <= machine_ms():
            _, _, work = heapq.heappop(self._waiting)
            work()
            done = True
        return done

    def _look(self) -> None:
        self._timer = None
        self._run()
        self._arm()

    def _arm(self) -> None:
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK, self._look)
