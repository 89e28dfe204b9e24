"""The audit trail: every row sealed over the one before, and none to be changed afterwards."""

from decimal import Decimal

import pytest
from django.db import Error, connection, transaction

from bots.tasks import tick_bot
from gridtrader import celery
from risk import audit, halts, origin
from risk.models import AuditRow


def three() -> None:
    audit.record("pause", "bot:1", who="ann", origin="api 10.0.0.1", reason="news")
    audit.record(
        "policy", "all", who="bob", before={"collar": Decimal("0.10")}, after={"collar": 1}
    )
    audit.record("resume", "bot:1", who="ann")


def test_a_chain_as_it_was_written_verifies(db: None) -> None:
    three()
    verdict = audit.verify()
    assert (verdict.rows, verdict.faults) == (3, ())
    rows = list(AuditRow.objects.order_by("number"))
    assert [row.number for row in rows] == [1, 2, 3]
    assert rows[0].previous == audit.START
    assert rows[1].previous == rows[0].seal
    assert verdict.head == rows[2].seal
    assert rows[1].before == {"collar": "0.1"}, "decimals are plain texts"


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE risk_auditrow SET who = 'nobody' WHERE number = 2",
        "DELETE FROM risk_auditrow WHERE number = 3",
        "TRUNCATE risk_auditrow",
    ],
)
def test_the_database_refuses_to_rewrite_it(db: None, attack: str) -> None:
    three()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE risk_auditrow ENABLE TRIGGER USER")
    with (
        pytest.raises(Error, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(attack)
    assert audit.verify().rows == 3


@pytest.mark.parametrize(
    ("attack", "number", "complaint"),
    [
        ("UPDATE risk_auditrow SET reason = 'x' WHERE number = 2", 2, "not as it was written"),
        ("DELETE FROM risk_auditrow WHERE number = 2", 3, "row 2 is missing"),
        ("UPDATE risk_auditrow SET at = at + interval '1 us' WHERE number = 1", 1, "not as it was"),
        ("UPDATE risk_auditrow SET previous = seal WHERE number = 3", 3, "does not follow"),
    ],
)
def test_who_gets_around_that_is_found_out(
    db: None, attack: str, number: int, complaint: str
) -> None:
    three()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE risk_auditrow DISABLE TRIGGER USER")
        cursor.execute(attack)
    faults = audit.verify().faults
    assert any(fault.number == number and complaint in fault.complaint for fault in faults), faults


def test_a_change_that_is_rolled_back_leaves_no_row(db: None) -> None:
    three()

    def undone() -> None:
        with transaction.atomic():
            audit.record("resume", "all", who="ann")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        undone()
    assert audit.verify().rows == 3


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["/srv/manage.py", "watchdog"], "manage.py watchdog"),
        (["manage.py", "kill", "--reason", "smoke"], "manage.py kill"),
        (["manage.py"], "manage.py"),
        (["/x/celery/__main__.py", "-q", "-A", "gridtrader", "worker", "-l"], "celery worker"),
        (["/x/daphne/__main__.py", "-b", "127.0.0.1"], "daphne"),
        (["/x/bin/pytest", "-q"], "pytest"),
    ],
)
def test_a_process_is_named_by_its_command_line(words: list[str], name: str) -> None:
    assert origin.named(words) == name


@pytest.mark.django_db(transaction=True)
def test_no_row_leaves_its_origin_empty() -> None:
    """The request or the task if there is one, else the process; of threads too."""

    def told() -> str:
        return audit.record("pause", "bot:1", who="ann").origin

    process = told()
    assert process
    with origin.coming_from("page 10.0.0.1"):
        assert told() == "page 10.0.0.1"
        assert audit.record("pause", "bot:1", who="ann", origin="alert 7").origin == "alert 7"
    assert told() == process
    celery.begin("0123456789abcdef", tick_bot)
    try:
        assert told() == "task tick_bot:01234567"
        assert halts.arm(reason="x", by="guard y").origin == "task tick_bot:01234567"
    finally:
        celery.end("0123456789abcdef")
    assert told() == process
