"""`Keyring`: what a test does with keys. Its verbs are plain calls, for tests sync or async, in any event loop or none.

api_keys.make("FILE_UPLOAD") ──> Office: APIKeys.create, in a thread ──> the test's database <── the app's own keys
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, Unpack

from gatepost.asgi import Bearer, Header
from gatepost.base import APIKey, BadInputError, Issued, Quota
from gatepost.keys import APIKeys

if TYPE_CHECKING:
    from gatepost.keys.given import Edit, Making
    from gatepost.testing.bench import Desk

T = TypeVar("T")

LONG_AGO = timedelta(hours=2)
"""When keys that have expired were made; they expired halfway."""

SPENT = Quota(1, per="month", name="spent")
"""The quota of a key that is over its limit."""


@dataclass(frozen=True)
class TestKey:
    """A key that was made for a test, with its secret, which never shows itself. `headers`: what a client sends."""

    __test__ = False  # not a test, whatever it is called

    key: APIKey
    secret: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def id(self) -> str:
        """The key's id."""
        return self.key.id


class Keyring:
    """Makes keys for a test, and changes them. `keys`: the app's own object, or one of the tests', for an app that is
    made with it. Each call returns when the app knows of the change, as the verbs of `APIKeys` do."""

    def __init__(self, desk: "Desk", source: Bearer | Header) -> None:
        if not isinstance(source, Bearer | Header):
            raise BadInputError(f"gatepost_source must return Bearer() or Header(name), not {source!r:.60}")
        self._desk = desk
        self._source = source

    @property
    def keys(self) -> APIKeys:
        """The keys of the app under test."""
        return self._desk.keys

    def make(self, *permissions: str, description: str = "of a test", **making: Unpack["Making"]) -> TestKey:
        """A key that may be used, as `APIKeys.create` makes it; without `project` for every project. Raises as it
        does."""
        issued = self.run(lambda keys: keys.create(description, permissions, **making))
        return self._of(issued)

    def expired(self, *permissions: str, **making: Unpack["Making"]) -> TestKey:
        """A key that has expired: an hour ago, by the database's clock."""
        now = self._desk.clock.now()
        with self._clock_put_back():
            return self.make(*permissions, **making | {"expires_at": now - LONG_AGO / 2})

    def deactivated(self, *permissions: str, **making: Unpack["Making"]) -> TestKey:
        """A key that was switched off."""
        made = self.make(*permissions, **making)
        self.deactivate(made)
        return made

    def rotated_out(self, *permissions: str, **making: Unpack["Making"]) -> TestKey:
        """The secret that a key had before it was rotated, without a grace."""
        made = self.make(*permissions, **making)
        self.rotate(made)
        return made

    def over_limit(self, *permissions: str, **making: Unpack["Making"]) -> TestKey:
        """A key with a quota, of one request a month, that is used up."""
        made = self.make(*permissions, **making | {"limits": [*making.get("limits", ()), SPENT]})
        self._desk.spend(made.id, SPENT)
        return made

    def activate(self, key: TestKey | str) -> None:
        """Switch a key on. A key, or its id, here and below."""
        self.run(lambda keys: keys.activate(_id(key), wait="commit"))

    def deactivate(self, key: TestKey | str) -> None:
        """Switch a key off."""
        self.run(lambda keys: keys.deactivate(_id(key), wait="commit"))

    def delete(self, key: TestKey | str) -> None:
        """Remove a key for good."""
        self.run(lambda keys: keys.delete(_id(key), wait="commit"))

    def rotate(self, key: TestKey | str, *, grace: float = 0.0) -> TestKey:
        """Give a key a new secret; the one before goes on working for `grace` seconds."""
        return self._of(self.run(lambda keys: keys.rotate(_id(key), grace=grace, wait="commit")))

    def update(self, key: TestKey | str, **edit: Unpack["Edit"]) -> APIKey:
        """Edit a key: `permissions=`, `limits=`, … as for `APIKeys.update`."""
        wanted: Edit = {**edit, "wait": "commit"}
        edited: APIKey = self.run(lambda keys: keys.update(_id(key), **wanted))
        return edited

    def run(self, verb: Callable[[APIKeys], Awaitable[T]]) -> T:
        """What any other verb answers, or raise what it raises: `api_keys.run(lambda keys: keys.list())`. It runs in a
        thread of its own, on keys of the same settings: one that would wait for all workers is told `wait="commit"`,
        since the app's event loop may be the caller's, which waits here."""
        return self._desk.run(verb)

    def _of(self, issued: Issued) -> TestKey:
        secret = issued.secret
        headers = (
            {self._source.name: secret} if isinstance(self._source, Header) else {"Authorization": f"Bearer {secret}"}
        )
        return TestKey(issued.key, secret, headers)

    @contextmanager
    def _clock_put_back(self) -> Iterator[None]:
        place = self._desk.place
        place.behind = LONG_AGO.total_seconds()
        try:
            yield
        finally:
            place.behind = 0.0


def _id(key: TestKey | str) -> str:
    return key if isinstance(key, str) else key.id
