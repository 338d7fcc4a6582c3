"""Several databases in one process, migrated at the same time."""

import asyncio
from pathlib import Path

from gatepost import APIKeys


async def test_databases_are_migrated_side_by_side(tmp_path: Path) -> None:
    many = [APIKeys(f"sqlite:///{tmp_path / str(number)}.db") for number in range(5)]
    await asyncio.gather(*(keys.create_schema() for keys in many))
    assert [(await keys.schema_status()).fits for keys in many] == [True] * len(many)
