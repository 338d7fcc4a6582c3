"""Where a task was opened from, and leads back to: the list as it was filtered, or a key's page. Pure."""

import re
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import parse_qs, urlencode

from gatepost.admin.page.list_filter import Listing

News = Literal["created", "rotated"]
"""What has just become of a key, which the page led back to tells."""

_KEY_PATH = re.compile(r"keys/([0-9A-Za-z]{1,64})")


@dataclass(frozen=True, slots=True)
class Back:
    """`key_id`: whose page it was, `None` = the list. `listing`: the list, from which that page was opened."""

    listing: Listing = field(default_factory=Listing)
    key_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a path as `path` made it. Whatever else it holds is dropped."""
        path, _, query = text.partition("?")
        key = _KEY_PATH.fullmatch(path)
        if key is None:
            return cls(Listing.parse(query))
        try:
            told = parse_qs(query, max_num_fields=20)
        except ValueError:
            told = {}
        return cls(Listing.parse(told.get("back", [""])[0]), key[1])

    @property
    def path(self) -> str:
        """Below the page's root, without a slash in front; empty = the list as it is by default."""
        query = self.listing.query()
        if self.key_id is None:
            return query
        return f"keys/{self.key_id}" + (f"?{urlencode({'back': query})}" if query else "")

    def telling(self, news: News, key_id: str) -> str:
        """The path, with what has just become of a key."""
        path = self.path
        return f"{path}{'&' if '?' in path else '?'}{urlencode({'news': news, 'key': key_id})}"
