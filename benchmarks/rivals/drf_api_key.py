"""djangorestframework-api-key under ASGI, as its documentation shows it. Run as a module, it makes the keys."""

import json
import sys

from starlette.types import ASGIApp
from tests.servers.child import printed

from benchmarks.rivals.bare_django import configure, serve
from benchmarks.rivals.rival import VARIABLE, Prepared, Rival, Secrets, Stores, settings, unguarded


async def prepare(stores: Stores) -> Prepared:
    """Migrate, and make the keys, in a process of its own: Django's settings are a process's."""
    chosen = {"database": str(stores.folder / "django.sqlite3")}
    told = await printed(sys.executable, "-m", __name__, variables={VARIABLE: json.dumps(chosen)})
    return Prepared(secrets=json.loads(told), settings=chosen)


def build() -> ASGIApp:
    """The app."""
    _configure()
    from rest_framework_api_key.permissions import HasAPIKey  # noqa: PLC0415 - once Django is configured

    return serve(unguarded, HasAPIKey)


def make_keys() -> Secrets:
    """A key, one that is revoked, and one that is deleted again."""
    _configure()
    from django.core.management import call_command  # type: ignore[import-untyped] # noqa: PLC0415
    from rest_framework_api_key.models import APIKey  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    _, usable = APIKey.objects.create_key(name="usable")
    off, revoked = APIKey.objects.create_key(name="off")
    off.revoked = True
    off.save()
    deleted, unknown = APIKey.objects.create_key(name="deleted")
    deleted.delete()
    invented, _, _ = APIKey.objects.key_generator.generate()
    return {"usable": usable, "unknown": unknown, "invented": invented, "deactivated": revoked}


def _configure() -> None:
    engine = "django.db.backends.sqlite3"
    databases = {"default": {"ENGINE": engine, "NAME": settings()["database"]}}
    configure("rest_framework_api_key", DATABASES=databases, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")


RIVAL = Rival(
    "djangorestframework-api-key",
    "Django REST framework",
    "benchmarks.rivals.drf_api_key:build",
    prepare,
    "SQLite, opened anew in every request, as Django does by default (its PostgreSQL would need another driver "
    "than asyncpg); no permissions. Revocation is seen at once",
    scheme="Api-Key",
)


if __name__ == "__main__":
    json.dump(make_keys(), sys.stdout)
