"""`Roles`: the verbs for named sets of permissions that keys hold by reference (docs/decisions/0059)."""

from gatepost.keys.roles.roles import Roles as Roles
