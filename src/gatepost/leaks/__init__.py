"""`Leaks`: where scanners, and whoever finds a secret, tell that it is in the open. Knows `keys`."""

from gatepost.leaks.app import Leaks as Leaks
from gatepost.leaks.github import GitHub as GitHub
from gatepost.leaks.gitlab import GitLab as GitLab
from gatepost.leaks.revoke import Revoke as Revoke
