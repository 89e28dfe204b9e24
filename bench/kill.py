"""The kill on the whole running system: how fast it holds, cancels, sees emptiness, and is done.

BENCH_KILLS and BENCH_FLOOD_KILLS (under 500 forged alerts a second) say how often, 100 each unless
told otherwise. With BENCH_KEEP, a file, each kill is kept there as a line as it is measured, and
what is there already is not measured again: so a run that was cut short goes on.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench._flood import PER_S, poured
from gridtrader.services import tethered

ROOT = Path(__file__).resolve().parents[1]
RESTING = 69
# It moves all the time and never wildly: on recorded prices a volatility breaker trips now and
# then, withholds a pair's buys for a quarter of an hour, and not all orders rest.
TAPE = "synthetic:7"
Figures = dict[str, float]
SPANS = ("committed_at", "sent_at", "first_empty_at", "done_at")


class House:
    """One `manage.py up` in a folder of its own, and calls of its API."""

    def __init__(self, home: Path, **variables: str) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GRIDTRADER", "DJANGO"))}
        self.env = clean | {
            "GRIDTRADER_ENV_FILE": os.devnull,
            "GRIDTRADER_DATA_DIR": str(home / "var"),
            "PAPER_SPEED": "1",
            "PAPER_TAPE": TAPE,
            **variables,
        }
        self._log = (home / "log").open("wb")
        # Tied to us: a bench that is stopped in the middle leaves no house behind.
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        self.process = subprocess.Popen(
            tethered(command, signal.SIGTERM),
            cwd=ROOT, env=self.env, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._token = ""
        self._home = home

    def ready(self) -> None:
        """Wait for the pages, and get a key."""
        until(lambda: self.call("GET", "/api/health")[0] == 200, 240)  # noqa: PLR2004 - HTTP's OK
        made = subprocess.run(
            [sys.executable, "manage.py", "token", "bench", "--role", "admin"],
            cwd=ROOT, env=self.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        self._token = made.stdout.strip()

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and answer; 0 while nobody listens."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": f"Token {self._token}"}
        try:
            line.request(
                method, path, json.dumps(body) if body is not None else None,
                headers if self._token else {},
            )  # fmt: skip
            answer = line.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except OSError:
            return 0, None
        finally:
            line.close()

    def resting(self) -> int:
        """Orders on the exchange, as the simulator itself tells; all of them are ours."""
        return int(self._simulator("/sim/clock")["open_orders"])

    def placing_signed(self, since: float) -> list[int]:
        """When each placing request from then on was signed, ms."""
        path = f"/sim/requests?at=/v5/order/create*&since={round(since * 1000)}"
        return [each["signed"] for each in self._simulator(path)["requests"]]

    def _simulator(self, path: str) -> Any:  # noqa: ANN401 - whatever it answers
        port = json.loads((self._home / "var" / "ports.json").read_text())["simulator"]
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        line.request("GET", path)
        answer = json.loads(line.getresponse().read())
        line.close()
        return answer

    def why_not_all(self) -> str:
        """What keeps orders from resting: halts, guards, and what the cells say."""
        _, risk = self.call("GET", "/api/risk")
        said = [f"{self.resting()} rest", *(f"halt: {each['reason']}" for each in risk["halts"])]
        said += [f"{each['name']}: {each['did']}" for each in risk["guards"] if each["no_buys"]
                 and each["state"] == "tripped"]  # fmt: skip
        for card in self.call("GET", "/api/bots")[1]["bots"]:
            idle = [cell["reason"] for cell in card["cells"] if cell.get("reason")]
            said.append(f"{card['slug']} {card['state']}: {'; '.join(idle[:3]) or 'no cell idle'}")
        return " | ".join(said)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()


def run() -> Iterator[dict[str, object]]:
    """Figures without and with a flood of forged alerts."""
    with tempfile.TemporaryDirectory(prefix="gridtrader-bench-") as home:
        house = House(Path(home))
        try:
            house.ready()
            yield measured(house, int(os.environ.get("BENCH_KILLS", "100")), "kill")
            count = int(os.environ.get("BENCH_FLOOD_KILLS", "100"))
            with poured(house.port) as pouring:
                found = measured(house, count, f"kill under {PER_S} forged alerts a second")
                came = pouring.stop()
            yield found | {
                "alerts_answered_a_second": round(came.answered_a_second),
                "alerts_by_status": came.statuses,
            }
        finally:
            house.stop()


def measured(house: House, kills: int, name: str) -> dict[str, object]:
    """So many kills, each with every cell's order resting; ms since the request was sent."""
    found = kept(name)[:kills]
    while len(found) < kills:
        found.append({**one(house), "load": os.getloadavg()[0]})
        keep(name, found[-1])
    figures: dict[str, object] = {"bench": name, "kills": kills}
    if found:
        figures["load"] = {"p50": middle(found, "load"), "max": max(each["load"] for each in found)}
        figures["least_cancelled"] = min(each["cancelled"] for each in found)
        figures["latest_signed_after_commit_ms"] = max(each["last_signed"] for each in found)
    for span in SPANS if found else ():
        times = sorted(each[span] for each in found)
        p99 = times[min(len(times) - 1, round(len(times) * 0.99))]
        figures[span.removesuffix("_at") + "_ms"] = {
            "p50": middle(found, span), "p99": p99, "max": times[-1],
        }  # fmt: skip
    return figures


def middle(found: Sequence[Figures], name: str) -> float:
    """The median."""
    times = sorted(each[name] for each in found)
    return times[len(times) // 2]


def kept(name: str) -> list[Figures]:
    """What an earlier run has measured of this."""
    path = os.environ.get("BENCH_KEEP")
    if not path or not Path(path).exists():
        return []
    lines = (json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [line["found"] for line in lines if line["bench"] == name]


def keep(name: str, found: Figures) -> None:
    """Have one kill outlive this run."""
    if path := os.environ.get("BENCH_KEEP"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"bench": name, "found": found}) + "\n")


def one(house: House) -> dict[str, float]:
    """Wait until all rest, kill, wait until it is done, go on. Raises TimeoutError, saying why."""
    try:
        until(lambda: house.resting() >= RESTING, 120)
    except TimeoutError as error:
        raise TimeoutError(f"{error} {RESTING} orders: {house.why_not_all()}") from None
    began = time.time()
    status, answer = house.call("POST", "/api/kill", {"reason": "measured"})
    if status != http.HTTPStatus.OK:
        raise RuntimeError(f"the kill was answered with {status}: {answer}")

    def done() -> Mapping[str, Any] | None:
        _, risk = house.call("GET", "/api/risk")
        return next((halt for halt in risk["halts"] if halt["done_at"]), None)

    halt = until(done, 60, every=0.5)  # it keeps its own times: looking seldom disturbs less
    committed = datetime.fromisoformat(halt["committed_at"]).timestamp() * 1000
    signed = max(house.placing_signed(began - 60), default=round(committed))
    wish = {"all": True, "rearm": True, "reason": "measured"}
    until(lambda: house.call("POST", "/api/resume", wish)[0] == http.HTTPStatus.OK, 60)
    return {
        "cancelled": halt["cancelled"],
        "last_signed": round(signed - committed),
        **_spans(halt, began),
    }


def _spans(halt: Mapping[str, Any], began: float) -> dict[str, int]:
    return {
        span: round((datetime.fromisoformat(halt[span]).timestamp() - began) * 1000)
        for span in SPANS
    }


def until(done: Callable[[], Any], seconds: float, every: float = 0.1) -> Any:  # noqa: ANN401 - what `done` answers
    """Wait until something is so, and answer it. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not (found := done()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(every)
    return found
