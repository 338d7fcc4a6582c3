"""`TemporarySecrets`: where temporary secrets are handed out, over HTTP."""

from gatepost.issuing.app import TemporarySecrets as TemporarySecrets
