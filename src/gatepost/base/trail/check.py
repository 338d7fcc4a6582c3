"""What a look at the audit log has found."""

from dataclasses import dataclass, field
from typing import Literal

FLAWS_MAX = 1_000
"""Most flaws that are told of one log."""

FlawKind = Literal["altered", "missing", "added", "anchor", "kept", "elsewhere"]
"""`altered`: a line of the change is not as it was, or one was put in or taken out. `missing`: the changes were taken
out. `added`: the change was put in. `anchor`: the place up to which the log was pruned was altered. `kept`: of what
pruning has kept the last lines were taken out. `elsewhere`: a file ends with a change that the database does not have,
or has another in its place."""

_SENTENCES: dict[FlawKind, str] = {
    "altered": "{changes} not as sealed: a line was altered, put in or taken out",
    "missing": "{changes} taken out",
    "added": "{changes} put in: nobody has sealed it, though later ones are",
    "anchor": "the place up to which the log was pruned, change {seq}, was altered",
    "kept": "of what pruning has kept of the changes up to {seq}, the last were taken out",
    "elsewhere": "change {seq}, with which the file ends, is not the database's: it was restored, or its log rewritten",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is wrong. `seq`, `until`: the first change that it is about, and the last."""

    kind: FlawKind
    seq: int
    until: int

    def __str__(self) -> str:
        changes = f"change {self.seq} was" if self.seq == self.until else f"changes {self.seq} to {self.until} were"
        return _SENTENCES[self.kind].format(changes=changes, seq=self.seq)


@dataclass(slots=True, kw_only=True)
class LogCheck:
    """What a look at the log, or at a file of it, has found. `first`, `last`: the first and the last change that was
    checked, `None` = there was none. `hash`: of the last one, 64 hexadecimal digits. `changes`, `lines`: how many were
    checked. `kept`: lines from before `first` that pruning has kept, checked too. `unsealed`: changes that are too new
    to be sealed, so that nothing is known of them. `unchecked`: changes whose key is not among the server keys here;
    `keys`: its names. `flaws`: what is wrong, `FLAWS_MAX` at most. `continues`: of a file, whether the database goes on
    from where it ends; `None` = that cannot be told."""

    first: int | None = None
    last: int | None = None
    hash: str | None = None
    changes: int = 0
    lines: int = 0
    kept: int = 0
    unsealed: int = 0
    unchecked: int = 0
    keys: set[str] = field(default_factory=set)
    flaws: list[Flaw] = field(default_factory=list)
    continues: bool | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all was checked, and nothing is wrong."""
        return not self.flaws and not self.unchecked

    def add(self, kind: FlawKind, seq: int, until: int | None = None) -> None:
        """Something is wrong."""
        if len(self.flaws) < FLAWS_MAX:
            self.flaws.append(Flaw(kind, seq, seq if until is None else until))
