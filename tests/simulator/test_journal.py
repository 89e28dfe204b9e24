"""The state file: torn lines, compaction, locks, and files that belong to something else."""

import os
from decimal import Decimal

import pytest

from integrations.bybit.simulator.facts import Deposited
from integrations.bybit.simulator.journal import Entry, Journal, JournalError
from integrations.bybit.simulator.server import Options
from tests.simulator.client import http, limit
from tests.simulator.fixture import KEYS, RunningSimulator

DEPOSIT = Entry(10, 20, (Deposited("USDT", Decimal("12.5")),))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "simulator.jsonl"


def written(file, *entries):
    journal = Journal(file, "tape")
    for entry in entries:
        journal.write(entry)
    journal.close()


def read(file):
    journal = Journal(file, "tape")
    entries = list(journal.entries())
    journal.close()
    return entries


def test_what_was_written_is_read_again(file):
    step = Entry(30, 30, (), {"BTCUSDT": "97000"})
    written(file, DEPOSIT, step)
    assert read(file) == [DEPOSIT, step]


@pytest.fixture
def forced(monkeypatch):
    """The sizes of files at the moments when they were forced to the disk."""
    sizes = []
    monkeypatch.setattr(os, "fdatasync", lambda file: sizes.append(os.fstat(file).st_size))
    return sizes


def test_what_happened_is_forced_to_the_disk_once_and_time_alone_is_not(file, forced):
    journal = Journal(file, "tape")
    journal.write(Entry(30, 40))
    journal.force()
    assert forced == []
    journal.write(DEPOSIT)
    journal.write(DEPOSIT)
    journal.write(Entry(50, 60))
    journal.force()
    journal.force()
    assert forced == [file.stat().st_size]
    journal.close()


def test_an_answer_comes_after_its_line_is_on_the_disk(file, forced):
    running = RunningSimulator(Options(keys=KEYS, speed=0, state=file))
    running.start()
    try:
        client = http(running)
        for _ in range(3):
            client.place_order(**limit())
            assert forced[-1] == file.stat().st_size
        running.step({"BTCUSDT": "97000"})
        assert forced[-1] == file.stat().st_size
    finally:
        running.stop()


def test_a_torn_last_line_is_dropped(file):
    written(file, DEPOSIT, Entry(30, 40, DEPOSIT.events))
    whole = file.read_bytes()
    for length in range(len(whole) - 1, len(whole) - 30, -1):
        file.write_bytes(whole[:length])
        assert read(file) == [DEPOSIT]


def test_lines_that_only_tell_the_time_are_dropped_at_the_next_start_but_the_last(file):
    written(file, DEPOSIT, Entry(30, 40), Entry(50, 60), Entry(70, 80))
    assert len(read(file)) == 4
    assert read(file) == [DEPOSIT, Entry(70, 80)]


def test_a_damaged_line_is_not_overlooked(file):
    written(file, DEPOSIT, DEPOSIT)
    lines = file.read_bytes().split(b"\n")
    lines[1] = lines[1][:-3]
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(JournalError, match="damaged in line 2"):
        Journal(file, "tape")


def test_a_file_belongs_to_one_process(file):
    written(file, DEPOSIT)
    journal = Journal(file, "tape")
    with pytest.raises(JournalError, match="in use"):
        Journal(file, "tape")
    journal.close()


def test_a_file_remembers_the_tape_it_began_with_and_those_after(file):
    change = Entry(30, 30, prices={"BTCUSDT": "97000"}, tape="second", name="two")
    written(file, DEPOSIT, change, DEPOSIT)
    journal = Journal(file, "third", "three")
    assert (journal.tape, journal.name) == ("tape", "")
    assert list(journal.entries()) == [DEPOSIT, change, DEPOSIT]
    journal.close()


def test_the_last_line_with_prices_stays(file):
    priced = [Entry(at, at, prices={"BTCUSDT": str(at)}) for at in (20, 30)]
    written(file, DEPOSIT, *priced, DEPOSIT, Entry(40, 40), DEPOSIT)
    assert len(read(file)) == 6
    assert read(file) == [DEPOSIT, priced[1], DEPOSIT, DEPOSIT]


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ('{"simulator": 9, "tape": "x"}', "version 9"),
        ('{"tape": "x"}', "none of the simulator's"),
        ("[]", "none of the simulator's"),
        ("hello", "none of the simulator's"),
    ],
)
def test_what_another_program_wrote_is_left_alone(file, header, complaint):
    file.parent.mkdir()
    file.write_text(header + "\n")
    with pytest.raises(JournalError, match=complaint):
        Journal(file, "tape")
    assert file.read_text() == header + "\n"


def test_without_a_file_nothing_is_kept():
    journal = Journal(None, "tape")
    journal.write(DEPOSIT)
    journal.close()


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be used"):
        Journal(tmp_path / "file" / "state", "tape")
