"""What the page says after a change: what the verb answered, in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gatepost.admin.page.told import full
from gatepost.base import Propagation, Receipt


@dataclass(frozen=True, slots=True)
class Verb:
    """A change of one key or many. `name`: the verb's; `title`: on buttons; `done`: of a key that was changed;
    `already`: of one that needed no change; `promise`: what becomes of keys, in a sentence; `everywhere`: once every
    worker acts on it."""

    name: str
    title: str
    done: str
    already: str
    promise: str
    everywhere: str
    is_dangerous: bool = False


VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "activate",
            "Activate",
            "Activated",
            "Was activated already",
            "let in again, with the permissions {they} {have}",
            "Let in everywhere",
        ),
        Verb(
            "deactivate",
            "Deactivate",
            "Deactivated",
            "Was deactivated already",
            "refused everywhere, from the moment this is done. {They} can be activated again",
            "Refused everywhere",
            is_dangerous=True,
        ),
        Verb(
            "delete",
            "Delete",
            "Deleted",
            "Was deleted already",
            "deleted for good, and refused everywhere. This cannot be undone",
            "Refused everywhere",
            is_dangerous=True,
        ),
        Verb(
            "end_grace",
            "End the old secret",
            "Old secret ended",
            "Had no old secret any more",
            "let in with {their} newest secret only: the one from before is refused everywhere, at once",
            "Refused everywhere",
            is_dangerous=True,
        ),
    )
}


_MANY = {"they": "they", "They": "They", "their": "their", "have": "have"}

SHOWN_MAX = 50
"""Most keys whose results are told one by one; of more, each result has a list of ids."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one key. `kind`: `done`, `same` or `failed`."""

    key_id: str
    name: str | None
    text: str
    kind: Literal["done", "same", "failed"]


@dataclass(frozen=True, slots=True)
class Banner:
    """A message above a page. `subject`: the description of the key that it is about. `key_id`: of the key that is to
    be marked, or led to. `results`: key by key, for a change of several."""

    kind: Literal["success", "notice", "warning", "error"]
    title: str
    text: str = ""
    subject: str | None = None
    key_id: str | None = None
    results: Sequence[Result] = ()

    @property
    def by_text(self) -> Mapping[str, Sequence[Result]]:
        """The results by what they say, the fewest first: what went otherwise than most."""
        found: dict[str, list[Result]] = {}
        for result in self.results:
            found.setdefault(result.text, []).append(result)
        return dict(sorted(found.items(), key=lambda each: len(each[1])))


def promise(verb: Verb, count: int) -> str:
    """`3 keys will be refused everywhere, ...`."""
    one = count == 1
    words = {"they": "it", "They": "It", "their": "its", "have": "has"} if one else _MANY
    return f"{'The key' if one else f'{count:,} keys'} will be {verb.promise.format(**words)}."


def receipt_banner(verb: Verb, receipt: Receipt, names: Mapping[str, str]) -> Banner:
    """What a change of keys answered. `names`: descriptions by id, as far as they are known."""
    results = [
        *(Result(i, names.get(i), verb.done, "done") for i in receipt.changed),
        *(Result(i, names.get(i), verb.already, "same") for i in receipt.unchanged),
        *(Result(i, names.get(i), "No such key", "failed") for i in receipt.unknown),
        *(Result(i, names.get(i), why, "failed") for i, why in receipt.denied.items()),
    ]
    settled = len(receipt.changed) + len(receipt.unchanged)
    spread = spread_text(receipt.propagation, verb.everywhere) if settled else ""
    if len(results) == 1:
        (only,) = results
        return Banner(_kind(receipt, settled), only.text, spread, only.name or only.key_id)
    return Banner(_kind(receipt, settled), _count(verb, receipt, len(results)), spread, results=results)


def spread_text(propagation: Propagation, everywhere: str) -> str:
    """How far a change has come: `Refused everywhere: 4 of 4 workers, 6 ms`."""
    said, over = len(propagation.acknowledged), len(propagation.expired)
    count = said + over + len(propagation.waiting)  # whoever left serves nobody
    workers = f"{said} of {count} worker{'' if count == 1 else 's'}"
    if propagation.complete:
        if not count:
            return f"{everywhere}: no worker is running"
        silent = f", {over} silent for so long that nothing remembered there counts" if over else ""
        return f"{everywhere}: {workers}{silent}, {_took(propagation.seconds)}"
    by = propagation.holds_from
    when = "" if by is None else f" It holds everywhere by {full(by)} at the latest."
    return f"Committed, and {workers} confirmed it so far.{when}"


def spread_banner(subject: str, title: str, propagation: Propagation, everywhere: str) -> Banner:
    """What a change of one key answered."""
    kind: Literal["success", "warning"] = "success" if propagation.complete else "warning"
    return Banner(kind, title, spread_text(propagation, everywhere), subject)


def _count(verb: Verb, receipt: Receipt, count: int) -> str:
    """`3 of 4 keys deactivated, 1 was already`."""
    changed, same = len(receipt.changed), len(receipt.unchanged)
    if same == count:
        return f"Nothing to do: all {count:,} keys were {verb.done.lower()} already"
    already = f", {same:,} {'was' if same == 1 else 'were'} already" if same else ""
    return f"{changed:,} of {count:,} keys {verb.done.lower()}{already}"


def _kind(receipt: Receipt, settled: int) -> Literal["success", "notice", "warning", "error"]:
    if not settled:
        return "error"
    if not receipt.propagation.complete or receipt.unknown or receipt.denied:
        return "warning"
    return "success" if receipt.changed else "notice"


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
