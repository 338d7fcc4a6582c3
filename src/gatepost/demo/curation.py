"""What people do with assets together: labels, collections, and approvals."""

import re
import secrets
from dataclasses import asdict
from typing import Literal

from gatepost.demo.errors import BadValueError, ConflictError, NotFoundError
from gatepost.demo.ledger import Approval, Facts, Vote, checked_count, checked_label
from gatepost.demo.store import JSON, AssetStore

QUORUM_MAX = 100
"""Most equal votes that an approval may ask for."""

_OUTCOME: dict[Vote, Literal["approved", "rejected"]] = {"approve": "approved", "reject": "rejected"}


def list_labels(store: AssetStore) -> list[JSON]:
    """List all labels, with their colours and the number of files that bear each."""
    with store.reading() as ledger:
        worn = [label for facts in ledger.objects.values() for label in facts.labels]
        return [{"name": name, "color": color, "files": worn.count(name)} for name, color in ledger.labels.items()]


def set_label(store: AssetStore, name: str, color: str = "#888888") -> JSON:
    """Make a label, or change its colour (`#rrggbb`)."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise BadValueError(f"{color!r} is no colour: write it as #rrggbb.")
    with store.changing() as ledger:
        ledger.labels[checked_label("label", name)] = color
    return {"name": name, "color": color}


def delete_label(store: AssetStore, name: str) -> None:
    """Delete a label, and take it off all files."""
    with store.changing() as ledger:
        if ledger.labels.pop(name, None) is None:
            raise NotFoundError(f"There is no label {name!r}.")
        for facts in ledger.objects.values():
            facts.labels = [label for label in facts.labels if label != name]


def change_file_labels(store: AssetStore, path: str, labels: list[str]) -> JSON:
    """Say which labels a file bears, of those that there are."""
    with store.changing() as ledger:
        store.tree.file(path)
        if unknown := sorted(set(labels) - ledger.labels.keys()):
            raise NotFoundError(f"There is no label named {', '.join(map(repr, unknown))}.")
        ledger.objects.setdefault(path, Facts()).labels = sorted(set(labels))
        return store.describe(path)


def list_collections(store: AssetStore) -> list[JSON]:
    """List all collections, with the paths of their files in order."""
    with store.reading() as ledger:
        return [{"name": name, "files": files} for name, files in ledger.collections.items()]


def set_collection(store: AssetStore, name: str, files: list[str]) -> JSON:
    """Make a collection of files, or say anew which files it has, in order."""
    with store.changing() as ledger:
        for path in files:
            store.tree.file(path)
        ledger.collections[checked_label("collection", name)] = list(dict.fromkeys(files))
        return {"name": name, "files": ledger.collections[name]}


def delete_collection(store: AssetStore, name: str) -> None:
    """Delete a collection; its files stay."""
    with store.changing() as ledger:
        if ledger.collections.pop(name, None) is None:
            raise NotFoundError(f"There is no collection {name!r}.")


def request_approval(store: AssetStore, path: str, quorum: int = 1) -> JSON:
    """Ask for a file to be approved: decided as soon as `quorum` voters agree on either."""
    with store.changing() as ledger:
        store.tree.file(path)
        approval_id = secrets.token_hex(4)
        ledger.approvals[approval_id] = Approval(path, checked_count("quorum", quorum, QUORUM_MAX))
        return _shown(approval_id, ledger.approvals[approval_id])


def list_approvals(store: AssetStore) -> list[JSON]:
    """List all approvals, with their votes and outcomes."""
    with store.reading() as ledger:
        return [_shown(approval_id, approval) for approval_id, approval in ledger.approvals.items()]


def cancel_approval(store: AssetStore, approval_id: str) -> None:
    """Forget an approval, decided or not."""
    with store.changing() as ledger:
        if ledger.approvals.pop(approval_id, None) is None:
            raise NotFoundError(f"There is no approval {approval_id!r}.")


def vote(store: AssetStore, approval_id: str, voter: str, vote: Vote) -> JSON:
    """Cast a voter's vote, or change it, until the approval is decided."""
    with store.changing() as ledger:
        approval = ledger.approvals.get(approval_id)
        if approval is None:
            raise NotFoundError(f"There is no approval {approval_id!r}.")
        if approval.state != "open":
            raise ConflictError(f"This vote is over: {approval.state}.")
        approval.votes[checked_label("voter", voter)] = vote
        if list(approval.votes.values()).count(vote) >= approval.quorum:
            approval.state = _OUTCOME[vote]
        return _shown(approval_id, approval)


def _shown(approval_id: str, approval: Approval) -> JSON:
    return {"id": approval_id, **asdict(approval)}
