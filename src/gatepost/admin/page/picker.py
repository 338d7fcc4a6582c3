"""The picker of permissions in a form: what it offers to whom, and what its buttons do."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.admin.page.told import EVERYTHING_HELD, Group, grouped
from gatepost.admin.page.visit import Visit

ALL, NONE = "all", "none"


def picker(visit: Visit, chosen: frozenset[str], had: frozenset[str]) -> Mapping[str, Any]:
    """What the template shows. `had`: what is held already, which stays where the visitor does not hold it."""
    held = visit.actor.held
    catalogue = list(visit.keys.catalogue)
    given = [each for each in catalogue if held is None or each in held]
    others = [str(each) for each in catalogue if each not in given]
    fixed = [name for name in others if name in had]
    return {
        "groups": grouped(given),
        "gone": sorted((chosen | had).difference(map(str, catalogue))),
        "fixed": fixed,
        "withheld": [name for name in others if name not in fixed],
        "presets": {title: names.intersection(given) for title, names in _presets(visit).items()},
    }


def pressed(visit: Visit, chosen: frozenset[str]) -> frozenset[str]:
    """What is chosen after the button that was pressed, where one was. Only for browsers without JavaScript."""
    if "choose" not in visit.fields:
        return chosen
    held = visit.actor.held
    groups = grouped(each for each in visit.keys.catalogue if held is None or each in held)
    return picked(chosen, str(visit.fields["choose"]), groups, _presets(visit))


def picked(
    chosen: frozenset[str], choice: str, groups: Sequence[Group], presets: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """`choice`: `all`, `none`, `preset:<title>`, `group:<slug>:all|none`. `groups`: of what may be picked."""
    everything = {name for group in groups for name in group.permissions}
    kind, _, rest = choice.partition(":")
    if choice == ALL:
        return chosen | everything
    if choice == NONE:
        return chosen - everything
    if kind == "preset":
        return (chosen - everything) | (presets.get(rest, frozenset()) & everything)
    slug, _, which = rest.rpartition(":")
    members = {name for group in groups if group.slug == slug for name in group.permissions}
    return chosen | members if which == ALL else chosen - members


def _presets(visit: Visit) -> Mapping[str, frozenset[str]]:
    everything = frozenset(map(str, visit.keys.catalogue))
    held = everything if visit.actor.held is None else everything & visit.actor.held
    return {**visit.site.presets, EVERYTHING_HELD: held}
