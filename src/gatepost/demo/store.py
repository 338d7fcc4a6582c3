"""The asset store: files and directories with what is known of them, and uploads. No HTTP.

Its methods, and the functions of `sharing` and `curation`, which take it as their first argument, are the operations
that `app` serves: their other arguments are the parameters of the routes, and they answer what JSON can hold.
"""

import mimetypes
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from gatepost.demo import images
from gatepost.demo.errors import BadValueError, ConflictError, NotFoundError
from gatepost.demo.ledger import (
    SHARE_MAX_SECONDS,
    UPLOAD_MAX_BYTES,
    Facts,
    Ledger,
    Scalar,
    Visibility,
    checked_count,
    checked_label,
)
from gatepost.demo.tree import Tree, basename, checked_name, joined, parent
from gatepost.demo.upload import Upload

JSON = dict[str, Any]

_TYPES = mimetypes.MimeTypes()
_TYPES.add_type("image/webp", ".webp")  # both are missing from the tables of some versions of Python
_TYPES.add_type("text/markdown", ".md")


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes. `type`: its MIME type, by the file's name."""

    data: bytes
    type: str


def mime_type(path: str) -> str:
    """The MIME type that a file's name suggests; `application/octet-stream` where it suggests none."""
    kind, encoding = _TYPES.guess_type(basename(path))
    return kind if kind and not encoding else "application/octet-stream"


class AssetStore:
    """A store under `root`, a folder that is made if it is not there. Safe to use from several threads, one process.

    Under `root` lie `files` (the served tree), `incoming` (uploads on their way) and `ledger.json` (all records), so
    that a store opened on the same folder goes on where the last one stopped. `clock`: Unix time in seconds.

    Every operation happens whole, or raises one of `errors` and changes nothing.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self.tree = Tree(root / "files")
        self.clock = clock
        self._scratch = root / "incoming"
        self._scratch.mkdir(exist_ok=True)
        for leftover in self._scratch.iterdir():
            leftover.unlink()
        self._ledger_file = root / "ledger.json"
        self._ledger = Ledger.load(self._ledger_file)
        self._lock = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[Ledger]:
        """The records, while nobody changes them or the tree."""
        with self._lock:
            yield self._ledger

    @contextmanager
    def changing(self) -> Iterator[Ledger]:
        """A copy of the records to change; saved when the block ends, forgotten when it raises."""
        with self._lock:
            before = self._ledger
            self._ledger = before.copy()
            try:
                yield self._ledger
                self._ledger.save(self._ledger_file)
            except BaseException:
                self._ledger = before
                raise

    def list_objects(
        self,
        directory: str = "",
        *,
        deep: bool = False,
        all: bool = False,  # noqa: A002 - the name that callers see
        person: str = "",
        label: str = "",
        tag: str = "",
    ) -> list[JSON]:
        """List what is in a directory.

        `deep`: and below it; `all`: also what is private; `person`: only what they may see; `label`, `tag`: only what
        bears it.
        """
        with self.reading() as ledger:
            self._check_seen(ledger, directory, person)
            return [
                _described(ledger, path, self.tree.find(path))
                for path in self.tree.walk(directory, deep=deep)
                if (all or not ledger.is_private(path))
                and ledger.admits(person, path)
                and (not label or label in ledger.facts(path).labels)
                and (not tag or tag in ledger.facts(path).tags)
            ]

    def describe(self, path: str, *, person: str = "") -> JSON:
        """Tell all that is known of a file or directory, as the person may see it."""
        with self.reading() as ledger:
            self._check_seen(ledger, path, person)
            return _described(ledger, path, self.tree.find(path))

    def fetch(self, path: str, *, person: str = "") -> Content:
        """Fetch a file's bytes, as the person may see it."""
        with self.reading() as ledger:
            self._check_seen(ledger, path, person)
            return Content(self.tree.file(path).read_bytes(), mime_type(path))

    def start_upload(self, path: str, *, replace: bool = False) -> Upload:
        """Upload a file, with replace=1 over one that is there.

        Begins it; `finish_upload` ends it.
        """
        with self.reading() as ledger:
            self._upload_target(path, replace=replace)
            return self.new_upload(ledger, path, replace=replace)

    def finish_upload(self, upload: Upload) -> JSON:
        """Put an upload into the tree; through an airbox, under a free name. Tags of a replaced file are dropped."""
        with self.changing() as ledger:
            if upload.airbox is None:
                path = upload.path
            else:
                airbox = ledger.use_airbox(upload.airbox, self.clock())
                path = self.tree.numbered(joined(airbox.path, basename(upload.path)))
            target = self._upload_target(path, replace=upload.replace)
            upload.move_to(target)
            if path in ledger.objects:
                ledger.objects[path].tags = []
            if upload.airbox is not None:  # an outsider is told no more than what they sent
                return {"name": basename(path), "bytes": upload.size_bytes}
            return _described(ledger, path, target)

    def add(self, path: str, data: bytes) -> JSON:
        """Upload a file that is in memory already."""
        with self.start_upload(path) as upload:
            upload.write(data)
            return self.finish_upload(upload)

    def new_upload(self, ledger: Ledger, path: str, *, replace: bool = False, airbox: str | None = None) -> Upload:
        """An upload within the configured limits. Raises `BadValueError` for a type that is not let in."""
        kind = mime_type(path)
        if not any(fnmatch(kind, allowed) for allowed in ledger.config.allowed_types):
            raise BadValueError(f"Files of type {kind} are not let in here.")
        return Upload(path, self._scratch, ledger.config.upload_max_bytes, replace=replace, airbox=airbox)

    def create_file_meta(self, path: str, meta: dict[str, Scalar]) -> JSON:
        """Add metadata fields to a file. Raises `ConflictError` for one that it has."""
        with self._changing_facts(self.tree.file, path) as facts:
            if taken := sorted(facts.meta.keys() & meta.keys()):
                raise ConflictError(f"{path!r} already has metadata named {', '.join(taken)}.")
            facts.meta |= _checked_meta(meta)
            return self.describe(path)

    def change_file_meta(self, path: str, meta: dict[str, Scalar | None]) -> JSON:
        """Change metadata fields that a file has; null removes one. Raises `NotFoundError` for others."""
        with self._changing_facts(self.tree.file, path) as facts:
            if missing := sorted(meta.keys() - facts.meta.keys()):
                raise NotFoundError(f"{path!r} has no metadata named {', '.join(missing)}.")
            facts.meta = _merged(facts.meta, meta)
            return self.describe(path)

    def change_directory_meta(self, path: str, meta: dict[str, Scalar | None]) -> JSON:
        """Add or change metadata fields of a directory; null removes one."""
        with self._changing_facts(self.tree.directory, path) as facts:
            facts.meta = _merged(facts.meta, meta)
            return self.describe(path)

    def rename_file(self, path: str, name: str) -> JSON:
        """Give a file another name, in its directory."""
        return self._move(self.tree.file, path, joined(parent(path), checked_name(name)))

    def rename_directory(self, path: str, name: str) -> JSON:
        """Give a directory another name, where it is."""
        return self._move(self.tree.directory, path, joined(parent(path), checked_name(name)))

    def move_file(self, path: str, directory: str) -> JSON:
        """Move a file into another directory."""
        return self._move(self.tree.file, path, joined(directory, basename(path)))

    def move_directory(self, path: str, directory: str) -> JSON:
        """Move a directory, with all that is in it, into another one."""
        return self._move(self.tree.directory, path, joined(directory, basename(path)))

    def create_directory(self, path: str) -> JSON:
        """Make an empty directory, in one that is there."""
        with self._lock:
            self.tree.free(path).mkdir()
            return self.describe(path)

    def delete_file(self, path: str) -> None:
        """Delete a file, with all that refers to it."""
        with self.changing() as ledger:
            self.tree.file(path)
            self.tree.remove(path, recursive=False)
            ledger.relocate(path, None)

    def delete_directory(self, path: str, *, recursive: bool = False) -> None:
        """Delete a directory, with all that refers to it: an empty one, unless `recursive`."""
        with self.changing() as ledger:
            self.tree.directory(path)
            self.tree.remove(path, recursive=recursive)
            ledger.relocate(path, None)

    def set_file_visibility(self, path: str, visibility: Visibility) -> JSON:
        """Make a file private (no share serves it, listings leave it out) or public."""
        with self._changing_facts(self.tree.file, path) as facts:
            facts.visibility = visibility
            return self.describe(path)

    def set_directory_visibility(self, path: str, visibility: Visibility) -> JSON:
        """Make a directory, with all that is in it, private or public."""
        with self._changing_facts(self.tree.directory, path) as facts:
            facts.visibility = visibility
            return self.describe(path)

    def change_product(self, path: str, reference: str, position: int = 1) -> JSON:
        """Say which product a file shows, and as which of its pictures; an empty reference: none."""
        with self._changing_facts(self.tree.file, path) as facts:
            facts.product = {}
            if reference:
                facts.product = {"reference": checked_label("product", reference), "position": position}
            return self.describe(path)

    def edit_image(self, path: str, operations: list[dict[str, Any]]) -> JSON:
        """Rewrite an image: rotate, resize, crop, grayscale. The operations are those of `images.edit`."""
        with self._lock:
            edited = images.edit(self.tree.file(path).read_bytes(), operations)
            with self.start_upload(path, replace=True) as upload:
                upload.write(edited)
                return self.finish_upload(upload)

    def autotag(self, path: str) -> JSON:
        """Tag a file by its content: type, size, colours, frequent words. The tags are those of `images.tags`."""
        with self._changing_facts(self.tree.file, path) as facts:
            facts.tags = images.tags(self.tree.file(path).read_bytes())
            return self.describe(path)

    def read_accesses(self, path: str) -> JSON:
        """Tell who may see a directory: names, or null for everybody. The lists of those above it hold as well."""
        with self.reading() as ledger:
            self.tree.directory(path)
            return {"path": path, "names": ledger.accesses.get(path)}

    def change_accesses(self, path: str, names: list[str] | None) -> JSON:
        """Say who may see a directory: names, none of them for nobody, or null for everybody."""
        with self.changing() as ledger:
            self.tree.directory(path)
            if names is None:
                ledger.accesses.pop(path, None)
            else:
                ledger.accesses[path] = [checked_label("person", name) for name in names]
            return self.read_accesses(path)

    def read_config(self) -> JSON:
        """Tell the container's configuration."""
        with self.reading() as ledger:
            return asdict(ledger.config)

    def change_config(
        self,
        *,
        upload_max_bytes: int | None = None,
        allowed_types: list[str] | None = None,
        share_seconds: int | None = None,
    ) -> JSON:
        """Change the settings that are given. They hold for uploads and links that begin from now on."""
        if upload_max_bytes is None and allowed_types is None and share_seconds is None:
            raise BadValueError("Give at least one setting.")
        with self.changing() as ledger:
            config = ledger.config
            if upload_max_bytes is not None:
                config.upload_max_bytes = checked_count("upload_max_bytes", upload_max_bytes, UPLOAD_MAX_BYTES)
            if share_seconds is not None:
                config.share_seconds = checked_count("share_seconds", share_seconds, SHARE_MAX_SECONDS)
            if allowed_types is not None:
                config.allowed_types = [_checked_pattern(pattern) for pattern in allowed_types]
            return asdict(config)

    @contextmanager
    def _changing_facts(self, find: Callable[[str], Path], path: str) -> Iterator[Facts]:
        """As `changing`, of the facts of a path that `find` finds."""
        with self.changing() as ledger:
            find(path)
            yield ledger.objects.setdefault(path, Facts())

    def _move(self, find: Callable[[str], Path], old: str, new: str) -> JSON:
        with self.changing() as ledger:
            find(old)
            self.tree.move(old, new)
            ledger.relocate(old, new)
            return self.describe(new)

    def _upload_target(self, path: str, *, replace: bool) -> Path:
        place = self.tree.locate(path)
        return place if replace and place.is_file() else self.tree.free(path)

    def _check_seen(self, ledger: Ledger, path: str, person: str) -> None:
        self.tree.find(path)
        if not ledger.admits(person, path):
            raise NotFoundError(f"There is no file or directory {path!r} for {person!r}.")


def _described(ledger: Ledger, path: str, place: Path) -> JSON:
    stat = place.stat()
    kind = {"kind": "directory"} if place.is_dir() else {"kind": "file", "type": mime_type(path), "bytes": stat.st_size}
    return {"path": path, **kind, "modified": datetime.fromtimestamp(stat.st_mtime, UTC), **asdict(ledger.facts(path))}


def _checked_pattern(pattern: str) -> str:
    if not re.fullmatch(r"[\w.+*-]+/[\w.+*-]+", pattern):
        raise BadValueError(f"{pattern!r} is no pattern of MIME types, such as image/* or text/plain.")
    return pattern


def _checked_meta(meta: dict[str, Scalar]) -> dict[str, Scalar]:
    return {checked_label("metadata field", name): value for name, value in meta.items()}


def _merged(known: dict[str, Scalar], meta: dict[str, Scalar | None]) -> dict[str, Scalar]:
    kept = {name: value for name, value in known.items() if name not in meta}
    return kept | _checked_meta({name: value for name, value in meta.items() if value is not None})
