"""A process in which LiteLLM makes keys: its `generate_key_helper_fn`, as `/key/generate` calls it, with its hash.

    python -m tests.coming.litellm_keys HOME     stdin: a line [URL, [{"key_alias": "nightly", …}, …]]
                                                 stdout: a line with their secrets

Of LiteLLM two things are missing: Prisma's engine, which would write the row (`Table` does, as it stands), and the
module of its server, of which two names are asked.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

from sqlalchemy import JSON, MetaData, create_engine
from sqlalchemy import Table as Columns
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.pool import NullPool


class Table:
    """What Prisma gives for a table, as far as keys are made."""

    def __init__(self, url: str, name: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool)
        self._columns = Columns(name, MetaData(), autoload_with=self._engine)

    async def upsert(
        self, where: Mapping[str, str], data: Mapping[str, Mapping[str, Any]], **_: object
    ) -> SimpleNamespace:
        """Insert the row unless there is one."""
        row = {name: self._value(name, value) for name, value in data["create"].items() if value is not None}
        with self._engine.begin() as connection:
            connection.execute(insert(self._columns).values(row).on_conflict_do_nothing())
        return SimpleNamespace(**where)

    def _value(self, name: str, value: Any) -> Any:
        """Prisma takes JSON as a text, and stores moments as UTC, without saying so."""
        if isinstance(self._columns.c[name].type, JSON):
            return json.loads(value)
        return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def modules() -> tuple[Any, Any]:
    """Those of LiteLLM's that make keys. To import them takes seconds, the first time."""
    endpoints = import_module("litellm.proxy.management_endpoints.key_management_endpoints")
    return import_module("litellm.proxy.utils"), endpoints


async def make(url: str, wanted: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Keys, of these arguments; their secrets."""
    utils, endpoints = modules()
    client = utils.PrismaClient.__new__(utils.PrismaClient)
    client.db = SimpleNamespace(litellm_verificationtoken=Table(url, "LiteLLM_VerificationToken"))
    server = ModuleType("litellm.proxy.proxy_server")
    vars(server).update(premium_user=False, prisma_client=client, proxy_logging_obj=None)
    sys.modules[server.__name__] = server
    made = [await endpoints.generate_key_helper_fn("key", table_name="key", **each) for each in wanted]
    return [each["token"] for each in made]


if __name__ == "__main__":
    sys.path.append(sys.argv[1])  # behind what is installed here
    modules()
    for line in sys.stdin:
        print(json.dumps(asyncio.run(make(*json.loads(line)))), flush=True)
