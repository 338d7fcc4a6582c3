"""A store with a few files in it, and a clock that a test can turn."""

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from gatepost.demo import curation
from gatepost.demo.store import AssetStore


@dataclass
class Clock:
    """Unix time in seconds, as the test says."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def image_bytes(kind: str = "PNG", size: tuple[int, int] = (40, 20), colour: str = "red") -> bytes:
    """An image of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Everything under a store's root: contents of files by path, `None` for directories."""
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in sorted(root.rglob("*"))}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> AssetStore:
    store = AssetStore(tmp_path / "store", clock)
    for directory in ("docs", "docs/old", "photos", "inbox"):
        store.create_directory(directory)
    store.add("docs/note.txt", b"Gatepost guards gates. Gates need guards.\n")
    store.add("docs/old/plan.txt", b"An old plan.\n")
    store.add("photos/red.png", image_bytes())
    curation.set_label(store, "draft", "#f9a825")
    return store


@pytest.fixture
def root(tmp_path: Path, store: AssetStore) -> Path:
    return tmp_path / "store"
