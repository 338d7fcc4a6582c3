"""What commands take that make or edit a key: what it may do, until when, from where, how much, and whose it is."""

from typing import Annotated

from typer import Option

from gatepost.base import LIMIT_EXAMPLES
from gatepost.cli.input.options import complete_permission

Permissions = Annotated[
    list[str] | None,
    Option(
        "--permission",
        "-p",
        metavar="NAME",
        help="What its bearer may do; repeat it, or put commas between.",
        autocompletion=complete_permission,
    ),
]
Roles = Annotated[
    list[str] | None,
    Option(
        "--role",
        metavar="NAME",
        help="A role that it holds; repeat it, or put commas between. --role '' is none.",
    ),
]
Expires = Annotated[
    str | None,
    Option("--expires", metavar="WHEN", help="90d, 12h, 2030-01-31, 2030-01-31T18:00Z; UTC where no zone is named."),
]
Allow = Annotated[
    list[str] | None,
    Option(
        "--allow",
        metavar="NETWORK",
        help="A network that it may be used from, 203.0.113.0/24 or 2001:db8::/32, or an address; repeat it, or put "
        "commas between. --allow '' is nowhere.",
    ),
]
Limits = Annotated[
    list[str] | None,
    Option(
        "--limit",
        metavar="LIMIT",
        help=f"How much it may be used: {LIMIT_EXAMPLES}; repeat it, or put commas between. --limit '' is as much "
        "as it likes.",
    ),
]
Owner = Annotated[
    str | None,
    Option("--owner", metavar="NAME", help="Who answers for it: a person, team or service. --owner '' is nobody."),
]
Metadata = Annotated[
    str | None,
    Option(
        "--metadata",
        metavar="JSON",
        help="What the app wants to know of it: a JSON object of at most 4 KB. --metadata '{}' is nothing.",
    ),
]
