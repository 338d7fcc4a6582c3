"""Files and directories on disk. The only module that turns a path in a request into a path on the file system.

A path here is text: names joined by `/`, no leading or trailing `/`; `""` is the tree's top.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gatepost.demo.errors import BadPathError, ConflictError, NotFoundError

NAME_MAX_BYTES = 255
"""Longest name of a file or directory in UTF-8; the limit of ext4, APFS and NTFS."""

PATH_MAX_BYTES = 1024
"""Longest path in UTF-8; with the folder before it well below Linux's PATH_MAX of 4096."""


def checked_path(path: str) -> str:
    """The path itself. Raises `BadPathError` unless each of its names could be that of a file."""
    if path:
        for name in path.split("/"):
            checked_name(name)
    if len(path.encode()) > PATH_MAX_BYTES:
        raise BadPathError(f"A path has at most {PATH_MAX_BYTES} bytes.")
    return path


def checked_name(name: str) -> str:
    """The name itself. Raises `BadPathError` unless it is one name, of printable characters, and not `.` or `..`."""
    if name in {"", ".", ".."} or "/" in name or "\\" in name:
        raise BadPathError(f"{name!r} cannot be a name: it is empty, '.' or '..', or has a slash in it.")
    if not name.isprintable():  # also refuses NUL, and surrogates, which no UTF-8 path has
        raise BadPathError(f"{name!r} cannot be a name: it has characters that cannot be printed.")
    if len(name.encode()) > NAME_MAX_BYTES:
        raise BadPathError(f"A name has at most {NAME_MAX_BYTES} bytes.")
    return name


def joined(directory: str, name: str) -> str:
    """The path of `name` in `directory`."""
    return f"{directory}/{name}" if directory else name


def parent(path: str) -> str:
    """The path of the directory that holds `path`."""
    return path.rpartition("/")[0]


def basename(path: str) -> str:
    """The last name of `path`."""
    return path.rpartition("/")[2]


def lineage(path: str) -> list[str]:
    """The path and all directories above it, the top first."""
    names = path.split("/") if path else []
    return ["/".join(names[:end]) for end in range(len(names) + 1)]


def _check_below_top(path: str) -> None:
    if not path:
        raise BadPathError("The top directory can be neither moved nor deleted.")


class Tree:
    """The served tree, under one folder that is made if it is not there. Symbolic links in it are never followed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()

    def locate(self, path: str) -> Path:
        """Where `path` is or would be on disk. Raises `BadPathError` for one that leads elsewhere."""
        place = self._folder
        for name in checked_path(path).split("/") if path else ():
            place = place / name
            if self._folder not in place.parents or place.is_symlink():
                raise BadPathError(f"{path!r} leads out of the store.")
        return place

    def find(self, path: str) -> Path:
        """The file or directory at `path`. Raises `BadPathError`, `NotFoundError`."""
        place = self.locate(path)
        if not (place.is_dir() or place.is_file()):
            raise NotFoundError(f"There is no file or directory {path!r}.")
        return place

    def file(self, path: str) -> Path:
        """The file at `path`. Raises `BadPathError`, `NotFoundError`."""
        place = self.locate(path)
        if not place.is_file():
            raise NotFoundError(f"There is no file {path!r}.")
        return place

    def directory(self, path: str) -> Path:
        """The directory at `path`. Raises `BadPathError`, `NotFoundError`."""
        place = self.locate(path)
        if not place.is_dir():
            raise NotFoundError(f"There is no directory {path!r}.")
        return place

    def free(self, path: str) -> Path:
        """The place at `path`, if its directory is there and nothing is at it yet.

        Raises `BadPathError`, `NotFoundError` without the directory, `ConflictError` where something is.
        """
        self.directory(parent(path))
        place = self.locate(path)
        if place.exists():
            raise ConflictError(f"There is already something at {path!r}.")
        return place

    def numbered(self, path: str) -> str:
        """The path, or the first of `name (2).ext`, `name (3).ext`, … that is free. Raises as `free`."""
        stem, dot, extension = basename(path).rpartition(".")
        stem, tail = (stem, dot + extension) if stem else (extension, "")
        number = 1
        while self.locate(path).exists():
            number += 1
            path = joined(parent(path), f"{stem} ({number}){tail}")
        self.free(path)
        return path

    def walk(self, directory: str, *, deep: bool) -> Iterator[str]:
        """Paths of what is in a directory, sorted by name; `deep`: and in those below it. Raises as `directory`."""
        for entry in sorted(os.scandir(self.directory(directory)), key=lambda entry: entry.name):
            path = joined(directory, entry.name)
            if entry.is_symlink():
                continue
            yield path
            if deep and entry.is_dir():
                yield from self.walk(path, deep=True)

    def move(self, old: str, new: str) -> None:
        """Move a file or a directory with all that is in it. Raises as `find` for `old` and as `free` for `new`."""
        _check_below_top(old)
        source, target = self.find(old), self.free(new)
        if source in target.parents:
            raise BadPathError(f"{old!r} cannot be moved into itself.")
        if source.is_dir():
            for path in self.walk(old, deep=True):
                checked_path(new + path[len(old) :])
        source.rename(target)

    def remove(self, path: str, *, recursive: bool) -> None:
        """Remove a file, or a directory: an empty one unless `recursive`. Raises as `find`, or `ConflictError`."""
        _check_below_top(path)
        place = self.find(path)
        if place.is_file():
            place.unlink()
        elif recursive:
            shutil.rmtree(place)
        elif any(place.iterdir()):
            raise ConflictError(f"The directory {path!r} is not empty; recursive=1 removes it with all that is in it.")
        else:
            place.rmdir()
