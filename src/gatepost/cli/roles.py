"""`gatepost roles …`: named sets of permissions that keys hold by reference."""

import sys
from typing import Annotated, Any

from typer import Abort, Argument, Option, Typer

from gatepost.base import BadInputError
from gatepost.cli.help import examples
from gatepost.cli.input import (
    ChangeOptions,
    EveryResource,
    KeysOptions,
    NoWait,
    Resources,
    Timeout,
    complete_permission,
    confirmed,
    resources_given,
    split_names,
    verb,
    waiting,
)
from gatepost.cli.output import (
    NAMED_MAX,
    ROLE_HEADS,
    is_terminal,
    print_json,
    print_note,
    print_role,
    print_role_change,
    print_rows,
    role_json,
    role_row,
)
from gatepost.rules import UNSET

app = Typer(help="Make and edit roles: named sets of permissions that keys hold.")

Name = Annotated[str, Argument(metavar="NAME", help="The role's name.", show_default=False)]
Project = Annotated[
    str | None, Option("--project", metavar="NAME", help="The role of this project. Default: the company-wide one.")
]
Permissions = Annotated[
    list[str] | None,
    Option(
        "--permission",
        "-p",
        metavar="NAME",
        help="What keys may do by it, all of it; FILE_* is those that begin so now. Repeat it, or put commas between. "
        "-p '' is nothing.",
        autocompletion=complete_permission,
    ),
]
Description = Annotated[str | None, Option("--description", metavar="TEXT", help="For people.")]
Preview = Annotated[bool, Option("--preview", help="Change nothing; show which keys would gain and lose what.")]


@app.command("list", epilog=examples("gatepost roles list", "gatepost roles list --project acme --json"))
@verb
async def list_roles(
    options: KeysOptions,
    *,
    project: Annotated[
        str | None, Option("--project", metavar="NAME", help="Only those that keys of this project can hold.")
    ] = None,
) -> None:
    """List roles, by name."""
    options.check_file()
    async with options.keys() as keys:
        found = await keys.roles.list(project=project)
    if options.as_json:
        print_json({"items": [role_json(role) for role in found]})
    elif found or not is_terminal():
        print_rows(ROLE_HEADS, [role_row(role) for role in found], cut=("description", "project"))
    else:
        print_note("No roles")


@app.command(epilog=examples("gatepost roles show editor", "gatepost roles show editor --project acme --json"))
@verb
async def show(options: KeysOptions, name: Name, *, project: Project = None) -> None:
    """Show a role, with what each of its permissions allows, and the keys that hold it."""
    options.check_file()
    async with options.keys() as keys:
        role = await keys.roles.get(name, project=project)
        which: dict[str, Any] = {"role": name} if project is None else {"role": name, "project": project}
        held = await keys.count(**which), (await keys.list(limit=NAMED_MAX, **which)).items
        print_role(role, keys.catalogue, held, as_json=options.as_json)


@app.command(
    epilog=examples(
        "gatepost roles create editor -p FILE_UPLOAD,FILE_RENAME",
        "gatepost roles create reader -p 'OBJECTS_*' --project acme",
    )
)
@verb
async def create(
    options: ChangeOptions,
    name: Name,
    *,
    permission: Permissions = None,
    description: Description = None,
    resource: Resources = None,
    project: Annotated[
        str | None, Option("--project", metavar="NAME", help="Whose keys may hold it. Default: all keys.")
    ] = None,
) -> None:
    """Make a role, which no key holds yet."""
    options.check_file()
    async with options.keys() as keys:
        role = await keys.roles.create(
            name,
            split_names(permission or ()),
            project=project,
            description=description or "",
            resources=[each for each in resource if each] if resource else None,
            actor=options.who(),
        )
        print_role(role, keys.catalogue, as_json=options.as_json)


@app.command(
    epilog=examples(
        "gatepost roles edit editor -p FILE_UPLOAD --preview",
        "gatepost roles edit editor -p 'FILE_*,OBJECTS_LIST'",
    )
)
@verb
async def edit(
    options: ChangeOptions,
    name: Name,
    *,
    permission: Permissions = None,
    description: Description = None,
    resource: Resources = None,
    every_resource: EveryResource = False,
    project: Project = None,
    preview: Preview = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Change a role, and with it every key that holds it, in one transaction. What is not named stays as it is."""
    resources = resources_given(resource, every_resource)
    if not permission and description is None and resources is UNSET:
        raise BadInputError("Nothing to change: name --permission, --description, --resource or --every-resource")
    options.check_file()
    async with options.keys() as keys:
        change = await keys.roles.update(
            name,
            project=project,
            permissions=split_names(permission) if permission else UNSET,
            description=UNSET if description is None else description,
            resources=resources,
            preview=preview,
            actor=options.who(),
            wait=waiting(no_wait),
            timeout=timeout,
        )
    print_role_change(change, "edited", as_json=options.as_json)


@app.command(epilog=examples("gatepost roles delete editor --preview", "gatepost roles delete editor --yes"))
@verb
async def delete(
    options: ChangeOptions,
    name: Name,
    *,
    project: Project = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
    preview: Preview = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Remove a role, and take what it gave from the keys that hold it."""
    options.check_file()
    if not (yes or preview) and not sys.stdin.isatty():
        raise BadInputError("Nobody can be asked here: say --yes to delete the role")
    async with options.keys() as keys:
        if preview or not yes:
            told = await keys.roles.delete(name, project=project, preview=True, actor=options.who())
            print_role_change(told, "deleted", as_json=options.as_json and preview)
            if preview:
                return
            if not confirmed(f"Delete role {name}?"):
                raise Abort
        change = await keys.roles.delete(
            name, project=project, actor=options.who(), wait=waiting(no_wait), timeout=timeout
        )
    print_role_change(change, "deleted", as_json=options.as_json)
