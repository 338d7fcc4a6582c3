"""While anything waits for the database, no variable of gatepost's and no repr shows a temporary secret."""

import logging

import pytest

from gatepost import APIKeyMiddleware, APIKeys
from tests.frameworks.connection import ask, bearer, http_scope
from tests.frameworks.hidden import watching
from tests.temporary.test_workers import Well


async def test_no_secret_stands_in_a_variable_a_repr_or_the_log(
    ready_sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with APIKeys(ready_sqlite_url, memory_entries=0) as keys:
        made = await keys.create("a key", ["FILE_UPLOAD"])
        template = await keys.templates.create("a widget", ["FILE_UPLOAD"])
        app = APIKeyMiddleware(Well(), keys)
        with watching() as watch:
            issued = [await keys.issue_temporary(parent) for parent in (made.secret, made.key.id, template.id)]
            for each in issued:
                assert (await keys.verify(each.secret)).valid
                assert (await keys.verify(each.secret, fresh=True)).valid
                answer = await ask(app, http_scope("/", bearer(each.secret)))
                assert answer.status_code == 204
            await keys.templates.deactivate(template.id)
            await ask(app, http_scope("/", bearer(issued[-1].secret)))
        verdict = await keys.verify(issued[0].secret)
    assert {"APIKeys.verify", "Issuing.issue_temporary"} <= watch.names
    for secret in (made.secret, *(each.secret for each in issued)):
        assert watch.places_of(secret) == set()
        assert secret not in caplog.text
        assert secret not in repr(verdict)
        assert secret not in repr(issued)
    assert watch.places_of(made.key.id), "what is no secret is found"
