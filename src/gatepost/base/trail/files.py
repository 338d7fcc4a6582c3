"""A file of exported lines: whether it is as it was exported."""

import hmac
import re
from dataclasses import dataclass
from typing import Any

import orjson

from gatepost.base import BadInputError
from gatepost.base.trail.check import LogCheck
from gatepost.base.trail.links import CHAIN_FIELDS, Content, Link, Links
from gatepost.base.trail.walk import INVALIDATED

_HASH = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(slots=True)
class _Change:
    """A change whose lines are being read. `content`: `None` = its key is not here."""

    link: Link
    before: bytes
    kind: str
    content: Content | None


class FileCheck:
    """Checks exported lines, in their order. `check`: what was found so far. `tail`: the last change, `None` = there
    is none yet. What is cut off at the end cannot be told from the file alone, but for a part of a change."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._number = 0
        self._change: _Change | None = None
        self.check = LogCheck()
        self.tail: Link | None = None

    def add(self, text: bytes | str) -> None:
        """The next line. Raises `BadInputError` for one that is none of an export."""
        self._number += 1
        line, link, before = self._parsed(text)
        if self._change is None or (self._change.link, self._change.before) != (link, before):
            self._end_change()
            content = self._links.content(link.sealed_by) if self._links.knows(link.sealed_by) else None
            self._change = _Change(link, before, line["kind"], content)
        if self._change.content is not None:
            self._change.content.add(line)

    def end(self) -> LogCheck:
        """There are no more."""
        self._end_change()
        return self.check

    def _end_change(self) -> None:
        change, self._change, tail, check = self._change, None, self.tail, self.check
        if change is None:
            return
        seq = change.link.seq
        if tail is not None and seq <= tail.seq:
            check.add("added", seq)
            return
        if tail is None:
            check.first = seq
        elif seq - tail.seq > 1 and (change.kind != INVALIDATED or change.before != tail.hash):
            check.add("missing", tail.seq + 1, seq - 1)
        elif change.before != tail.hash:
            check.add("altered", seq)
        if change.content is None:
            check.unchecked += 1
            check.keys.add(change.link.sealed_by)
        else:
            if not hmac.compare_digest(change.content.hash_after(change.before), change.link.hash):
                check.add("altered", seq)
            check.changes += 1
            check.lines += change.content.lines
        self.tail = change.link
        check.last, check.hash = seq, change.link.hash.hex()

    def _parsed(self, text: bytes | str) -> tuple[dict[str, Any], Link, bytes]:
        """A line, its link, and the hash before."""
        try:
            line = orjson.loads(text)
            before, told, name = (line.pop(field) for field in CHAIN_FIELDS)
            seq, number, kind = (line[field] for field in ("seq", "n", "kind"))
            fits = type(seq) is type(number) is int and isinstance(name, str) and isinstance(kind, str)
            fits = fits and all(map(_HASH.match, (before, told)))
        except (ValueError, KeyError, TypeError, AttributeError):
            fits = False
        if not fits:
            raise BadInputError(
                f"line {self._number} is none that 'gatepost audit log' has exported: it must be a JSON object with "
                f"seq, n, kind, {', '.join(CHAIN_FIELDS)}"
            )
        return line, Link(seq, 0, bytes.fromhex(told), name), bytes.fromhex(before)
