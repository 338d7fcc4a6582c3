"""What the face of the keys has to change them: each verb is told of in full here, where editors show it, and done in
the file that it calls."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Unpack, overload

from gatepost.base import (
    Actor,
    APIKey,
    EditedKey,
    ImportedKey,
    Issued,
    Propagation,
    Receipt,
)
from gatepost.keys import (
    changing,
    deleting,
    editing,
    importing,
    leaking,
    limiting,
    making,
    retention,
    revealing,
    rotating,
    switching,
)
from gatepost.keys.given import Selection
from gatepost.keys.looking import Looking
from gatepost.rules import UNNAMED

if TYPE_CHECKING:
    from gatepost.base import Leak
    from gatepost.base.trail import Pruned
    from gatepost.keys.given import (
        Edit,
        LeakOptions,
        Making,
        Options,
    )
    from gatepost.keys.retention import Kept
    from gatepost.temporary import Claims


class Changing(Looking):
    """Keys that can be changed."""

    async def create(self, description: str, permissions: Iterable[str] = (), **making_of: Unpack["Making"]) -> Issued:
        """Make a key; its secret is told in the answer and never again.

        `description`: 1 to 200 characters. `permissions`: names of the catalogue. `roles`: names of roles that it holds
        beside them, 16 at most. `project`: 1 to 100 characters; `None` = every project; left out = the actor's.
        `expires_at`: aware; `None` = never, or as a policy has it. `active`: whether it may be used from the start.
        `allow`: the networks that it may be used from, or single addresses, 100 at most; `None` = anywhere, empty =
        nowhere. `limits`: how much it may be used, 8 at most, each of another name. `owner`: who answers for it, 1 to
        100 characters; `None` = nobody is named. `environment`: `live` or `test`, which its secrets say and the other's
        processes refuse; `None` = either; left out = the actor's, or that of these keys. `metadata`: a JSON object, at
        most 4,096 bytes without blanks, in UTF-8. `resources`: those that its permissions hold on, `collection:spring`,
        `dir:/campaigns/*`, 50 at most; `None` = every one, empty = none. `idempotency_key`: 16 to 200 random
        characters; the same call with it within 24 hours makes no second key, but answers as the first did. Raises
        `BadInputError`, `UnknownPermissionError`, `PolicyError`, `AccessDeniedError`, `IdempotencyError` where the
        idempotency key was used for something else, `UnavailableError`. `actor`: who makes it; left out = the app
        itself. One transaction.
        """
        return await making.create(self._parts, description, permissions, **making_of)

    async def import_digests(self, keys: Iterable[ImportedKey], *, actor: str | Actor = UNNAMED) -> Sequence[APIKey]:
        """Make keys for secrets that exist already, from their digests; all in one transaction, or none.

            await keys.import_digests([ImportedKey(digest=hashlib.sha256(secret).digest(), description="CI")])

        Needs `foreign_secrets=True`. Raises `BadInputError`, which names the entry by its number from 0, for what is no
        `ImportedKey`, and for a digest that is not 32 bytes, stands twice, or has a key already; `PolicyError`
        likewise. `keys`: what they are (`ImportedKey`). `actor`: who asks; left out = the app itself. Raises
        `UnknownPermissionError`, `AccessDeniedError` and `UnavailableError` too. Answers the keys in the order given.
        """
        return await importing.import_digests(self._parts, keys, actor=actor)

    @overload
    async def update(self, which: str, **edit: Unpack["Edit"]) -> EditedKey: ...
    @overload
    async def update(
        self, which: str | Iterable[str] | Selection, *, preview: bool = False, **edit: Unpack["Edit"]
    ) -> EditedKey | Receipt: ...
    async def update(
        self, which: str | Iterable[str] | Selection, *, preview: bool = False, **edit: Unpack["Edit"]
    ) -> EditedKey | Receipt:
        """Edit a key; what is not named stays as it is. `which`: its id; ids, or a `Selection`. `description`: 1 to 200
        characters. `permissions`: all that it has beside its roles. `roles`: the names of all that it is to hold, 16 at
        most; empty = none. `expires_at=None`: never. `allow`: the networks that it may be used from; `None` = anywhere,
        empty = nowhere. `limits`: how much it may be used. A quota that keeps its name goes on from what it has
        counted, a rate that is another begins anew. `owner`: `None` = nobody is named. `metadata`: all of it; empty =
        none. `template`: what a template says (`Templates.update`). `resources`: those that its permissions hold on;
        `None` = every one, empty = none. The key that the actor uses cannot change its own limits, owner and metadata.
        `if_version`: only while the key's `version` is still that one. `force`: also where it weakens the key that the
        actor uses. That key's own life is not made longer by it.

        Of many keys, or a `Selection`, each is given the same, in one transaction; the answer is a `Receipt`.
        `preview`: tell what would become of each, and change nothing; a `Receipt` too.

        An edit of limits, owner or metadata, and one that takes a permission, an address or a resource away or lets the
        key expire earlier, waits as `deactivate` does; `wait` and `timeout` are as there. `actor`: who asks; left out =
        the app itself. Raises `KeyNotFoundError`, `BadInputError`, `PolicyError` for what is new of it,
        `UnknownPermissionError`, `StaleKeyError`, `AccessDeniedError`, `ForceNeededError`, `UnavailableError`,
        `StillSpreadingError`. One transaction.
        """
        return await editing.update(self._parts, which, preview=preview, **edit)

    async def activate(
        self, ids: str | Iterable[str] | Selection, *, preview: bool = False, **how: Unpack["Options"]
    ) -> Receipt:
        """Switch one key or many on, in one transaction. `ids`: an id, ids, or a `Selection`. As `deactivate`, but it
        does not wait for other workers unless told to: until they know of it, they refuse the key. `preview`: change
        nothing. `actor`: who asks; left out = the app itself. `wait`: left out = only for the commit; `timeout`:
        seconds, as for `deactivate`. An actor needs every permission of the key. Raises `KeyNotFoundError` for a single
        unknown id, `BadInputError`, `AccessDeniedError`, `UnavailableError`, `StillSpreadingError`, and `PolicyError`
        for a key that its owner may not have more of, and names such ones of many in the receipt."""
        return await switching.activate(self._parts, ids, preview=preview, **how)

    async def deactivate(
        self,
        ids: str | Iterable[str] | Selection,
        *,
        force: bool = False,
        preview: bool = False,
        **how: Unpack["Options"],
    ) -> Receipt:
        """Switch one key or many off, in one transaction: those with these `ids`, one or many, or a `Selection`, which
        is made in that transaction, of keys that the actor reaches. `preview`: tell what would become of each, and
        change nothing. When the call returns, no worker anywhere lets a request in with them that begins later. Within
        milliseconds where Redis or PostgreSQL passes the word on, a tenth of a second on SQLite, else within
        `poll_interval`; where a worker is dead or cut off, after its `max_staleness`: by then it believes nothing from
        before.

        `actor`: who asks; left out = the app itself. `wait="commit"`: do not wait; the receipt tells by when it will be
        true. `timeout`: seconds from the call after which to stop waiting, with `StillSpreadingError`: the change is
        committed then, and its message tells by when it holds; `None` = wait for as long as it takes. Either way this
        process itself applies the change first: a poll, and the one under way if there is one.

        A single unknown id raises `KeyNotFoundError`; of many, the unknown ones are named in the receipt, as are those
        that the actor may not change: its own key, unless `force` is said. `BadInputError`, `AccessDeniedError` as
        always. A key that was off already is waited for too. Raises `UnavailableError` where the database failed and
        nothing was changed, `UncertainCommitError` where it went away in the commit. A call that is cancelled while it
        waits has changed the keys: the cancellation carries a note that says so.
        """
        return await switching.deactivate(self._parts, ids, force=force, preview=preview, **how)

    async def rotate(
        self, key_id: str, *, grace: float, if_version: str | None = None, force: bool = False, **how: Unpack["Options"]
    ) -> Issued:
        """Give the key `key_id` a new secret. The one before goes on working for `grace` seconds, `max_grace` at most;
        0 kills it at once. Until then it is the key's `old_secret`, and `end_grace` ends it early.

        A key has two secrets at most: one that an earlier rotation left dies now. Waits as `deactivate` does, with
        `wait` and `timeout` as there; the new secret is in the error's `result` then. An actor needs every permission
        of the key, and `force` to end the secret that it uses at once; with an older secret of the key it gets no new
        one. `if_version`: as for `update`. `actor`: who asks; left out = the app itself. Raises `KeyNotFoundError`,
        `BadInputError`, `PolicyError`, `StaleKeyError`, `AccessDeniedError`, `ForceNeededError`, `UnavailableError`,
        `StillSpreadingError`. One transaction.
        """
        return await rotating.rotate(self._parts, key_id, grace=grace, if_version=if_version, force=force, **how)

    async def end_grace(
        self,
        ids: str | Iterable[str] | Selection,
        *,
        if_version: str | None = None,
        force: bool = False,
        preview: bool = False,
        **how: Unpack["Options"],
    ) -> Receipt:
        """End the older secret that a rotation of one key or many left working for a while, now and in one transaction;
        the current one stays. A key without one, or whose grace has run out, is `unchanged`. `force`: also where it is
        the secret that the actor uses. `ids`, `preview`, `actor`, `wait`, `timeout` as for `deactivate`, and raises as
        that does. `if_version`: as for `update`, with a single id; then `StaleKeyError` too."""
        return await rotating.end_grace(self._parts, ids, if_version=if_version, force=force, preview=preview, **how)

    async def delete(
        self,
        ids: str | Iterable[str] | Selection,
        *,
        if_version: str | None = None,
        force: bool = False,
        preview: bool = False,
        **how: Unpack["Options"],
    ) -> Receipt:
        """Remove one key or many for good, in one transaction; their secrets are unknown from then on. `ids`,
        `preview`, `force`, `actor`, `wait`, `timeout` as for `deactivate`. Raises as that does. `if_version`: as for
        `update`, with a single id; then `StaleKeyError` too."""
        return await deleting.delete(self._parts, ids, if_version=if_version, force=force, preview=preview, **how)

    async def reset_limits(self, key_id: str, *, if_version: str | None = None, **how: Unpack["Options"]) -> EditedKey:
        """Begin to count anew, in all limits of the key `key_id` but slots, which are free when their requests end. The
        key that the actor uses cannot do it for itself.

        A change as any other: in the audit log, and true everywhere when the call returns. `if_version`, `actor`,
        `wait`, `timeout` as for `update`. Waits as that does. Raises `KeyNotFoundError`, `StaleKeyError`,
        `AccessDeniedError`, `UnavailableError`, `StillSpreadingError`. Nothing to do for a key without limits. One
        transaction.
        """
        return await limiting.reset_limits(self._parts, key_id, if_version=if_version, **how)

    async def reveal(self, key_id: str, *, actor: str | Actor = UNNAMED) -> str:
        """The current secret of the key `key_id` again, where a vault keeps it. It is in the audit log before it is
        told. `actor`: who asks; left out = the app itself. An actor needs `ACCESS_MANAGE` and every permission of the
        key. Raises `SecretNotStoredError`, `KeyNotFoundError`, `AccessDeniedError`, `UnavailableError`. One
        transaction."""
        return await revealing.reveal(self._parts, key_id, actor=actor)

    async def report_leak(self, secret: "str | bytes | Claims", **how: Unpack["LeakOptions"]) -> "Leak | None":
        """Tell in the audit log that this `secret`, a text, bytes, or what a temporary one claims, was found in the
        open, and do something about it, in one transaction; answers what, and `None` where no key has that secret. A
        temporary secret is told of in the log of what it was made from, by its id, whatever the `response`: it ends by
        itself, and many others may be made from the same.

        `source`: who found it, `place`: where, for people: 1 to 100 and 500 characters, no secret in them. `response`:
        `deactivate` switches the key off; `rotate` gives it a new secret, which is in the answer alone (and in the
        vault, where there is one), and ends this one at once: for an actor that may be told it, as `rotate` has it;
        `notify` only tells. The older secret of a key is ended by itself: nobody has found the current one. `once`: a
        find that was told before is let be, so that a report which comes again does not undo what somebody has done
        since. Waits as `deactivate` does, with `timeout` as there. `actor`: who tells; left out = the app itself.

        Raises `BadInputError`, `AccessDeniedError`, `UnavailableError`, `StillSpreadingError`. One transaction.
        """
        found = leaking.without_text(self._parts, secret)
        del secret
        return await leaking.report_leak(self._parts, found, **how)

    async def invalidate(self, **how: Unpack["Options"]) -> Propagation:
        """Have every worker forget all that it remembers, and distrust all that Redis holds: to be called once the
        database was put back to an older state (a backup, a failover that lost commits), since what was read from the
        lost one must not be believed. Workers that start later heed it too. Changes no key, and costs nothing but speed
        for a moment.

        Waits as `deactivate` does, with `wait` and `timeout` as there. `actor`: who asks; left out = the app itself.
        The counter goes on at the microseconds since the epoch by the database's clock, above all that was lost. For
        operators only. Raises `AccessDeniedError`, `UnavailableError`, `StillSpreadingError`. One transaction.
        """
        return await changing.invalidate(self._parts, **how)

    async def prune(self, **kept: Unpack["Kept"]) -> "Pruned":
        """Take away what is old. Safe while workers run, and to be run again. For operators only.

        Usage: what is by day and older than `days` (1 to 3,660) is rolled up into months, once the whole month is;
        months that ended more than `months` (1 to 1,200) ago are removed. Totals change only by what is removed. Last
        uses are kept for as long as the key is.

        `events_before`: lines of the audit log of what was done before this moment (aware, at least two days ago) go,
        but never those of keys' making, nor what a worker has not applied or a target of webhooks has not queued yet;
        `None` = the log stays whole. Export it before (`audit_log.export`). `dead_workers`: rows of workers that are
        gone go too; that watches silent ones for twice their `max_staleness`. `progress`: called with what is done so
        far. `actor`: who asks; left out = the app itself. `preview`: change nothing, and tell what would be.

        Raises `AccessDeniedError`, `BadInputError`, `UnavailableError`; what was done until then stays done.
        Transactions of 1,000 rows each, or of one change's lines.
        """
        return await retention.prune(self._parts, **kept)

    async def flush_usage(self) -> None:
        """Write now what this process has counted, which else it does within a minute. Raises `UnavailableError`."""
        if (flushing := self._opened().flushing) is not None:
            await flushing.flush()
