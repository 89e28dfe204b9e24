"""The dashboard asks the database little: it is read anew for every open page, often."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.browser.house import furnish
from tests.factories import UserFactory

MOST = 25


@pytest.mark.django_db(transaction=True)
def test_four_bots_are_shown_by_few_queries() -> None:
    furnish()
    client = Client()
    client.force_login(UserFactory(is_superuser=True))
    client.get("/")
    with CaptureQueriesContext(connection) as asked:
        page = client.get("/")
    assert page.content.count(b'class="card bot"') == 4
    assert len(asked) <= MOST, [one["sql"][:90] for one in asked]
