"""This process's memory: what it holds, how it stays bounded. Whether a value may be used is not asked here."""

from itertools import islice
from typing import Generic, TypeVar

from gatepost.base import Absent, BadInputError, Found, Record

ABSENT_ENTRIES_MAX = 10_000
"""Most digests remembered as unknown: about 2 MB, apart from the keys, so that a flood cannot push keys out."""

V = TypeVar("V")


class Bounded(dict[bytes, V], Generic[V]):
    """A dict of at most `entries` entries: when full, the oldest hundredth makes room (first in, first out).

    Reading costs what a dict costs and writes nothing. Evicting in batches keeps the mean cost of an insertion
    constant: the scan over a dict's removed front is paid once a batch.
    """

    __slots__ = ("_batch", "_entries")

    def __init__(self, entries: int) -> None:
        super().__init__()
        self._entries = entries
        self._batch = max(1, entries // 100)

    @property
    def entries(self) -> int:
        """Most entries."""
        return self._entries

    def put(self, digest: bytes, value: V) -> None:
        """Remember `value`; an older value of the same digest is replaced in its place."""
        if len(self) >= self._entries and digest not in self:
            for oldest in list(islice(self, self._batch)):
                del self[oldest]
        self[digest] = value


class MemoryTier:
    """Records by digest (32 bytes), and apart from them the digests known to be of no key.

    `entries`: most keys remembered, about 340 bytes each; 0 = remember nothing.
    """

    def __init__(self, entries: int) -> None:
        if entries < 0:
            raise BadInputError(f"memory_entries must be 0 or more, not {entries}")
        self._remembers = entries > 0
        self.records: Bounded[Record] = Bounded(entries)
        self.absent: Bounded[Absent] = Bounded(min(entries, ABSENT_ENTRIES_MAX))

    def get(self, digest: bytes, now: float) -> Found | None:
        """What is remembered and not past its `until` at `now` (boot clock), or `None`."""
        found: Found | None = self.records.get(digest) or self.absent.get(digest)
        return found if found is not None and now < found.until else None

    def put(self, digest: bytes, found: Found) -> None:
        """Remember what was found, unless something newer is held already."""
        if not self._remembers:
            return
        held = self.records.get(digest) or self.absent.get(digest)
        if held is not None and held.as_of > found.as_of:
            return
        if isinstance(found, Record):
            self.absent.pop(digest, None)
            self.records.put(digest, found)
        else:
            self.records.pop(digest, None)
            self.absent.put(digest, found)

    def drop(self, digest: bytes, below: int) -> None:
        """Forget what is known of one digest, unless it is as of the seq `below` or later."""
        held = self.records.get(digest) or self.absent.get(digest)
        if held is not None and held.as_of < below:
            self.records.pop(digest, None)
            self.absent.pop(digest, None)

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()
        self.absent.clear()
