"""Which permissions exist. The built-in 31 (`DAM`), or an app's own, declared as a class."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import new_class
from typing import Any

from gatepost.base import BadInputError, UnknownPermissionError

NAME_MAX = 64
"""Longest permission name, in characters: 31 of them with separators fit well into one Redis value."""


class Permission(str):
    """A permission's name, with its sentence for people. Equal to the plain `str` of the same text."""

    __slots__ = ("sentence",)
    sentence: str

    def __new__(cls, name: str, sentence: str) -> "Permission":
        self = super().__new__(cls, name)
        self.sentence = sentence
        return self

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # what copy and pickle pass to __new__
        return str(self), self.sentence


class _CatalogueMeta(type):
    """Makes a catalogue class behave as a collection of its permissions, as an `Enum` class does."""

    _permissions: Mapping[str, Permission]

    def __iter__(cls) -> Iterator[Permission]:
        return iter(cls._permissions.values())

    def __len__(cls) -> int:
        return len(cls._permissions)

    def __contains__(cls, name: object) -> bool:
        return name in cls._permissions


class Catalogue(metaclass=_CatalogueMeta):
    """Base of all catalogues. A subclass declares one permission a line: name = sentence.

        class Notes(Catalogue):
            NOTES_READ = "read notes"
            NOTES_WRITE = "write and delete notes"

    `Notes.NOTES_READ` is then a `str`, the name itself. Iterating the class gives the permissions in order.
    A subclass of other catalogues has the permissions of all.
    """

    _permissions: Mapping[str, Permission] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        permissions: dict[str, Permission] = {}
        for base in reversed(cls.__mro__[1:]):
            permissions |= vars(base).get("_permissions", {})
        for name, sentence in list(vars(cls).items()):
            if name.startswith("_") or not isinstance(sentence, str):
                continue
            if hasattr(Catalogue, name):
                raise BadInputError(f"{name!r} cannot be a permission's name: catalogues have a method of that name")
            permissions[name] = Permission(_checked_name(name), sentence)
            setattr(cls, name, permissions[name])
        _check_distinct(permissions)
        cls._permissions = permissions

    @staticmethod
    def of(name: str, permissions: Mapping[str, str]) -> type["Catalogue"]:
        """Declare a catalogue called `name` from a mapping of permission name to sentence.

        For names that are no Python identifiers, such as `files:read`. Raises `BadInputError` for a name with
        white space, a control character, a `_` in front, or more than 64 characters.
        """
        for permission, sentence in permissions.items():
            if not isinstance(permission, str) or permission.startswith("_"):
                raise BadInputError(f"{permission!r} cannot be a permission's name: a str that does not begin with '_'")
            if not isinstance(sentence, str):
                raise BadInputError(f"the sentence of permission {permission!r} must be a str")
        return new_class(name, (Catalogue,), exec_body=lambda body: body.update(permissions))

    @classmethod
    def check(cls, names: Iterable[str]) -> frozenset[str]:
        """The names as a set. Raises `UnknownPermissionError` for one that this catalogue lacks.

        A single `str` instead of a collection of them is a `BadInputError`.
        """
        return _known(names, cls._permissions, f"the catalogue {cls.__name__}")

    @classmethod
    def begun(cls, patterns: Iterable[str]) -> frozenset[str]:
        """The names that these shorthands stand for now."""
        starts = tuple(pattern.removesuffix("*") for pattern in patterns)
        return frozenset(str(name) for name in cls if name.startswith(starts))

    @classmethod
    def expand(cls, names: Iterable[str]) -> tuple[frozenset[str], Sequence[str]]:
        """As `check`, where a name may end in `*` and stands then for all that begin so; also those that do, sorted.
        Raises `BadInputError` where none begins so, or nothing is before the `*`: all is never meant by accident."""
        if isinstance(names, str | bytes) or not isinstance(names, Iterable):
            return cls.check(names), ()
        given = [*names]
        patterns = {name for name in given if isinstance(name, str) and name.endswith("*")}
        plain = [name for name in given if not (isinstance(name, str) and name in patterns)]
        found = set(cls.check(plain))
        for pattern in sorted(patterns):
            begun = cls.begun([pattern]) if len(pattern) > 1 else frozenset[str]()
            if not begun or "*" in pattern[:-1]:
                raise BadInputError(
                    f"{pattern!r:.70} stands for no permission of the catalogue {cls.__name__}: write how some begin, "
                    "such as FILE_*, with the * at the end",
                    "permissions",
                )
            found |= begun
        return frozenset(found), sorted(patterns)


_TOO_LATE = "If it is in a catalogue of yours, declare or import that above the routes."


def check_declared(names: Iterable[str]) -> frozenset[str]:
    """As `Catalogue.check`, against every catalogue declared so far: for routes, decorated before any app exists."""
    declared: dict[str, Permission] = {}
    pending = Catalogue.__subclasses__()
    while pending:
        catalogue = pending.pop()
        declared.update(catalogue._permissions)  # noqa: SLF001 - the same module's class
        pending.extend(catalogue.__subclasses__())
    return _known(names, declared, "any declared catalogue", _TOO_LATE)


def _check_distinct(names: Iterable[str]) -> None:
    """Databases differ in whether upper and lower case are the same to a search."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise BadInputError(f"the permissions {other!r} and {name!r} differ only in case")


def _checked_name(name: str) -> str:
    if not 0 < len(name) <= NAME_MAX or not name.isprintable() or any(c.isspace() for c in name):
        raise BadInputError(
            f"{name!r} cannot be a permission's name: 1 to {NAME_MAX} printable characters, no white space"
        )
    return name


def _known(names: Iterable[str], known: Mapping[str, Permission], where: str, advice: str = "") -> frozenset[str]:
    if isinstance(names, str | bytes):
        raise BadInputError(f"permissions must be a list of names, not the single text {names!r}: write [{names!r}]")
    if not isinstance(names, Iterable):
        raise BadInputError(f"permissions must be a list of names, not {type(names).__name__}")
    given = list(names)
    for name in given:
        if not isinstance(name, str):
            raise BadInputError(f"a permission's name must be a str, not {type(name).__name__}")
        if name not in known:
            from difflib import get_close_matches  # noqa: PLC0415 - only for who made a mistake

            nearest = get_close_matches(name.upper(), known, n=1) or get_close_matches(name, known, n=1)
            raise UnknownPermissionError(name, where, nearest[0] if nearest else None, advice)
    return frozenset(str(name) for name in given)


class DAM(Catalogue):
    """The built-in catalogue: the 31 permissions of a digital-asset-management API."""

    OBJECTS_LIST = "list assets"
    OBJECTS_FETCH = "fetch assets"
    FILE_UPLOAD = "upload file"
    FILE_META_CREATE = "create file metadata"
    FILE_META_CHANGE = "update file metadata"
    FILE_RENAME = "rename file"
    FILE_MOVE = "move file"
    FILE_DELETE = "delete file"
    FILE_SET_VISIBILITY = "set file visibility"
    FILE_LABEL_CHANGE = "update file labels"
    FILE_IMAGE_EDITOR = "edit file"
    DIR_CREATE = "create directory"
    DIR_RENAME = "rename directory"
    DIR_META_CHANGE = "create and update directory metadata"
    DIR_MOVE = "move directory"
    DIR_DELETE = "delete directory"
    DIR_SET_VISIBILITY = "set directory visibility"
    CONFIG_CHANGE = "change container configuration"
    CONFIG_LIST = "list container configuration"
    FILE_PRODUCT_CHANGE = "change product information"
    FILE_PROCESS_AUTOTAGGING = "perform autotagging"
    COLLECTIONS_LIST = "list collections"
    COLLECTIONS_MANAGE = "manage collections"
    LABELS_LIST = "view labels"
    LABEL_MANAGE = "manage labels"
    OBJECTS_SHARE_MANAGE = "manage sharebox"
    OBJECTS_AIRBOX_MANAGE = "manage airbox"
    OBJECTS_APPROVAL_MANAGE = "manage approval"
    OBJECTS_APPROVAL_VOTE = "approve/reject assets"
    ACCESS_READ = "view accesses"
    ACCESS_MANAGE = "manage accesses"
