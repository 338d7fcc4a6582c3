"""What the face of the keys has to look at them: each verb is told of in full here, where editors show it, and done in
the file that it calls."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from gatepost.base import (
    Actor,
    APIKey,
    ChangeEvent,
    Page,
    Total,
)
from gatepost.keys import (
    limiting,
    listing,
    log,
)
from gatepost.keys import usage as using
from gatepost.keys.issuing import Issuing
from gatepost.rules import UNNAMED

if TYPE_CHECKING:
    from gatepost.base import Usage
    from gatepost.keys.given import (
        EventFilters,
        Filters,
        ListFilters,
        UsageDays,
        UsageFilters,
    )
    from gatepost.limits import LimitState


class Looking(Issuing):
    """Keys that can be looked at."""

    async def get(self, key_id: str, *, actor: str | Actor = UNNAMED) -> APIKey:
        """The key with the id `key_id`. `actor`: who asks; left out = the app itself. Raises `KeyNotFoundError`,
        `BadInputError`, `AccessDeniedError`, `UnavailableError`. One round trip."""
        return await listing.get_key(self._parts, key_id, actor=actor)

    async def list(self, **which: Unpack["ListFilters"]) -> Page[APIKey]:
        """One page of keys: those that fit all filters. `None` and `False` do not filter.

        `project`: keys of this one. `company_wide`: keys of no project. `owner`: keys of this one. `environment`: keys
        for this one, `live` or `test`. `metadata`: keys that have each of these members, at most 10, with just that
        value, equal as JSON in the one form in which it is stored (so `3` is not `3.0`). `state`: by the database's
        clock: `active` = keys that work now, those that are `expiring` within `expires_within` seconds (30 days) among
        them; `expired`; `deactivated`. `active`: `True` = in the state `active`, `False` = `deactivated`. `permission`:
        keys that have it. `role`: keys that hold it. `templates`: templates of temporary secrets, and no plain keys.
        `no_permissions`: keys that have none. `expires_before`: aware; keys that expire earlier, or did.
        `never_expires`: keys without an expiry. `search`: words in any case, each of which begins a word of the
        description or is the beginning of the id; or a secret as `hint` tells it, its start, or its last four
        characters, in their own case, of a key's secret now or of the one before. `unused_for`: keys that nobody has
        used for so many seconds, and that are at least as old. `never_used`: keys that nobody has used, as far as was
        counted.

        `sort`: `created`, `updated`, `description`, `expires` (never comes after every moment) or `last_used` (never
        comes before every moment), with `-` in front for descending. `after`: the `next` of the page before; `before`:
        the `previous` of the page behind. `limit`: 1 to 500, else 50. `actor`: who asks; left out = the app itself.
        Raises `BadInputError`, `UnknownPermissionError`, `UnavailableError`. One round trip, two with a state, an
        expiry or a last use, three or four with a permission, a role, `metadata` or `search`; milliseconds, whatever
        the page and however many keys there are (docs/decisions/0007, 0051).
        """
        return await listing.list_keys(self._parts, **which)

    async def count(self, *, actor: str | Actor = UNNAMED, **which: Unpack["Filters"]) -> Total:
        """How many keys `list` has with these filters, all pages together; which they are, as for `list`. `actor`: who
        asks; left out = the app itself. At most 10,000 keys are looked at: where there may be more, the answer says so,
        and tells how many there are at least.

        Raises `BadInputError`, `UnknownPermissionError`, `UnavailableError`. One round trip, two or three with filters,
        which take as long as it takes to look at so many rows: some 10 ms for 10,000.
        """
        return await listing.count_keys(self._parts, actor=actor, **which)

    async def projects(self, *, after: str | None = None, limit: int = 100, actor: str | Actor = UNNAMED) -> Page[str]:
        """The names of the projects that have keys, of those that the actor reaches, in the database's order of texts.
        `after`: a name; those that come after it. `limit`: 1 to 500. `actor`: who asks; left out = the app itself.
        Raises `BadInputError`, `AccessDeniedError`, `UnavailableError`. One round trip, however many keys there are."""
        return await listing.list_projects(self._parts, after=after, limit=limit, actor=actor)

    async def events(self, key_id: str | None = None, **which: Unpack["EventFilters"]) -> Page[ChangeEvent]:
        """One page of the audit log, newest first: of one key, `key_id`, also a deleted one, or of all that the actor
        reaches. Filters of `None` do not filter.

        `kind`: what was done (`EVENT_KINDS`). `project`: to keys of this project. `owner`, `environment`: to keys that
        were of this owner then, and that are for this environment. `metadata`: to keys that there are now, and that
        have each of these members now, as for `list`: what was noted of a key before does not count. `by_kind`: by
        whom, a value of `ActorKind`; `by_id`: by whoever has this `actor_id`: a key's id, a person's (with
        `by_kind="key"` also what is from before kinds were kept and has that key's name). `since`, `until`: aware; from
        the one on, before the other, by the database's clock. `after`, `limit` as for `list`. `actor`: who asks; left
        out = the app itself. Raises `KeyNotFoundError` for a key that there has never been, `BadInputError`,
        `UnavailableError`. One round trip, two by time, three more by metadata; milliseconds with one filter; with
        more, what fits the narrowest is looked at until the page is full.
        """
        return await log.list_events(self._parts, key_id, **which)

    async def made_by(
        self, key_id: str, *, after: str | None = None, limit: int = 50, actor: str | Actor = UNNAMED
    ) -> Page[APIKey]:
        """One page of the keys that the key `key_id` made (created or imported), those that these made, and so on, as
        far as there still are any; newest first. The key itself may be deleted. What an intruder with it has left, to
        be switched off: `await keys.deactivate([key.id for key in page.items])`. Whose secrets it was told otherwise
        tells the audit log: `events(kind="rotated", by_id=key_id)`, and `"revealed"`.

        Events from before gatepost kept who acted count by their name. `after`, `limit` as for `list`. `actor`: who
        asks; left out = the app itself. Raises `KeyNotFoundError` for a key that there has never been, `BadInputError`,
        `UnavailableError`. One round trip, an index probe for each key made.
        """
        return await log.list_made(self._parts, key_id, after=after, limit=limit, actor=actor)

    async def usage(self, key_id: str | None, **which: Unpack["UsageFilters"]) -> "Sequence[Usage]":
        """How often a key was used, refusals included: a line for each group, newest day first, then the most used; at
        most 10,000. Up to a minute behind, by what workers have not written yet (`flush_usage`).

        `key_id`: also of a key that was deleted; `None` = of no key: what came without a secret, or with one that
        nobody has made; or with `owner`, `environment`, `metadata` (as for `list`), of all such keys that there are
        now, together. `since`, `until`: days in UTC; from the one on, before the other; a month that was rolled up
        counts as its first day. `by`: what to tell apart, any of `day`, `route`, `outcome`, `secret`; none = one line
        for all. `actor`: who asks; left out = the app itself. Raises `KeyNotFoundError` for a key that there is not and
        that has no usage, `AccessDeniedError`, `BadInputError`, `UnavailableError`. Two round trips, three by secret,
        three more by metadata; as many rows are read as there are groups and days.
        """
        return await using.read_usage(self._parts, key_id, **which)

    async def usage_by_day(self, ids: Iterable[str], **days: Unpack["UsageDays"]) -> Mapping[str, Sequence[int]]:
        """How often each of the keys with these `ids` was used on each of the last `days` days (1 to 366), the last one
        today, in UTC; by the key's id, of those that were used at all. For a small chart beside each key of a list, so
        `ids` are those of keys that the actor was shown; others are left out. `actor`: who asks; left out = the app
        itself. Raises `BadInputError`, `UnavailableError`. One round trip."""
        return await using.read_days(self._parts, ids, **days)

    async def limits(self, key_id: str, *, actor: str | Actor = UNNAMED) -> "Sequence[LimitState]":
        """What is left of each limit of the key `key_id`, in their order.

        Of quotas what no worker has leased. Rates and slots as Redis counts them; where there is none only a process
        that is the only worker knows, and of others `left` is `None`. `actor`: who asks; left out = the app itself.
        Raises `KeyNotFoundError`, `AccessDeniedError`, `UnavailableError`. Three round trips, and one for each quota.
        """
        return await limiting.limits(self._parts, key_id, actor=actor)
