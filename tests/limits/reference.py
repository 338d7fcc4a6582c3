"""What `limits.lua` must do, as plainly as it can be said, with a clock that the test moves."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Counts:
    """`rates`: of each bucket, when all that was taken has come back. `slots`: until when each name holds one. All in
    microseconds."""

    now: int = 0
    rates: dict[bytes, int] = field(default_factory=dict)
    slots: dict[bytes, dict[bytes, int]] = field(default_factory=dict)

    def count(self, buckets: Sequence[bytes], words: Sequence[bytes | int]) -> list[int]:
        """The answers to one call. What is asked several times is asked so here."""
        answers: list[int] = []
        left_buckets, left = list(buckets), list(words)
        while left:
            number, times = int(left.pop(0)), int(left.pop(0))
            asked = []
            for _ in range(number):
                kind, one, two, what = left[:4]
                del left[:4]
                asked.append((left_buckets.pop(0), kind, int(one), int(two), what))
            lets_in = 0
            for _ in range(times):
                let_in = all(self._has_room(*each) for each in asked)
                told = [number for each in asked for number in self._take(*each, let_in=let_in)]
                lets_in += let_in
            answers += [lets_in, *told]
        return answers

    def held(self, bucket: bytes) -> int:
        """Slots that are held now."""
        return sum(until > self.now for until in self.slots.get(bucket, {}).values())

    def _back(self, bucket: bytes, full: int) -> int:
        return max(self.now, min(self.rates.get(bucket, 0), self.now + 2 * full))

    def _has_room(self, bucket: bytes, kind: bytes | int, one: int, two: int, what: bytes | int) -> bool:
        if kind == b"rate":
            cost = int(what)
            return cost == 0 or self._back(bucket, one * two) + cost * one <= self.now + one * two
        if kind == b"slots":
            return two == 0 or self.held(bucket) < one
        return True

    def _take(
        self, bucket: bytes, kind: bytes | int, one: int, two: int, what: bytes | int, *, let_in: bool
    ) -> tuple[int, int, int]:
        if kind in {b"rate", b"charge"}:
            full, cost = one * two, int(what) * one
            back = self._back(bucket, full)
            wait = 0 if let_in else max(0, back + cost - self.now - full)
            if let_in and cost:
                back = self.rates[bucket] = max(self.now, min(back + cost, self.now + 2 * full))
            return max(0, (self.now + full - back) // one), wait, back - self.now
        names = self.slots.setdefault(bucket, {})
        for name, until in list(names.items()):
            if until <= self.now and kind == b"slots":
                del names[name]
        if kind == b"slots":
            held = len(names)
            if two and let_in:
                names[_name(what)] = self.now + two
                return max(0, one - held - 1), 0, 0
            return max(0, one - held), int(two > 0 and held >= one), 0
        if kind == b"keep":
            names[_name(what)] = self.now + two
        elif kind == b"free":
            names.pop(_name(what), None)
        return 0, 0, 0


def _name(what: bytes | int) -> bytes:
    assert isinstance(what, bytes)
    return what
