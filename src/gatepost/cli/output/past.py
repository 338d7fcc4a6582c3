"""How the shell tells of the past: what pruning did, and what a look at the audit log has found."""

from collections.abc import Mapping
from typing import Any

from gatepost.base.trail import LogCheck, Pruned
from gatepost.cli.output.console import STATUS, print_line, print_note, print_pairs


def pruned_json(done: Pruned) -> Mapping[str, Any]:
    """What pruning did, or would do, for programs."""
    told: dict[str, Any] = {"usage": {"rolled_up": done.rolled_up, "removed": done.removed}}
    if done.log is not None:
        log = done.log
        told["events"] = {"removed": log.removed, "kept": log.kept, "to": log.to, "held_by": log.held_by}
    if done.workers is not None:
        told["workers"] = [{"id": worker.id, "name": worker.name} for worker in done.workers]
    return {**told, "preview": True} if done.is_preview else told


def print_pruned(done: Pruned) -> None:
    """The same, for people."""
    would, were = ("would become", "would be") if done.is_preview else ("became", "were")
    print_line(f"Usage: {done.rolled_up:,} rows of days {would} parts of months, {done.removed:,} rows {were} removed")
    if (log := done.log) is not None:
        upto = f" up to change {log.to}" if log.to >= 0 else ""
        print_line(f"Audit log: {log.removed:,} lines {were} removed{upto}, {log.kept:,} of keys' making stay")
        if log.held_by is not None:
            print_note(f"The log behind change {log.to} is still needed by {log.held_by}")
    if done.workers is not None:
        names = ", ".join(worker.name for worker in done.workers)
        told = "silent workers may be dead" if done.is_preview else "rows of dead workers were removed"
        print_line(f"Workers: {len(done.workers):,} {told}{f': {names}' if names else ''}")


def check_json(check: LogCheck) -> Mapping[str, Any]:
    """What a look at the audit log has found, for programs."""
    names = ("is_whole", "first", "last", "hash", "changes", "lines", "kept", "unsealed", "unchecked", "continues")
    flaws = [{"kind": each.kind, "seq": each.seq, "until": each.until, "text": str(each)} for each in check.flaws]
    return {**{name: getattr(check, name) for name in names}, "keys": sorted(check.keys), "flaws": flaws}


_CONTINUES = {True: "goes on from its end", False: "does not go on from its end", None: "is pruned at its end"}


def print_check(check: LogCheck, of_file: bool) -> None:
    """The same, for people."""
    unchecked = f"{check.unchecked:,} changes: no server key here has sealed them ({', '.join(sorted(check.keys))})"
    pairs = [
        (STATUS, "whole" if check.is_whole else "not whole"),
        ("changes", "none" if check.last is None else f"{check.first} to {check.last}: {check.changes:,}"),
        ("lines", f"{check.lines:,}"),
        *([("kept by pruning", f"{check.kept:,} lines")] if check.kept else []),
        *([("last hash", check.hash)] if check.hash is not None else []),
        *([("not sealed yet", f"{check.unsealed:,} changes")] if check.unsealed else []),
        *([("not checked", unchecked)] if check.unchecked else []),
        *([("the database", _CONTINUES[check.continues])] if of_file else []),
        *(("wrong", str(flaw)) for flaw in check.flaws),
    ]
    print_pairs(pairs)
