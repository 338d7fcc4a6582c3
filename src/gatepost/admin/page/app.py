"""Puts the page together."""

from collections.abc import Iterable, Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from gatepost.admin.entry import Authorize, AuthorizedEntrance, OnSignIn, SessionEntrance, Sessions
from gatepost.admin.page import assets, key_change, key_edit, key_list, key_secret, key_view, log, roles, sign_in
from gatepost.admin.page.assets import Assets
from gatepost.admin.page.headers import SecurityHeaders
from gatepost.admin.page.list_filter import project_name, project_value
from gatepost.admin.page.sign_in import SignInDesk
from gatepost.admin.page.site import Site
from gatepost.admin.page.told import LIMIT_PRESETS, default_presets, limit_most, moments, sentences
from gatepost.admin.page.trial import Trial
from gatepost.admin.page.typed import metadata_lines, resources_word
from gatepost.base import limit_text
from gatepost.intake import Throttle
from gatepost.keys import APIKeys


def make_page(
    keys: APIKeys,
    *,
    authorize: Authorize | None = None,
    presets: Mapping[str, Iterable[str]] | None = None,
    session_seconds: float = 1800.0,
    title: str = "API keys",
    trial: Trial | None = None,
    on_sign_in: OnSignIn | None = None,
) -> ASGIApp:
    """The page where people manage `keys`, for wherever it is mounted. Keys that nobody has opened are opened by the
    first request.

    `authorize`: the host app's say on each request: the actor, or `None` for nobody who may; it may be a coroutine
    function. Without it, people sign in with a key that has `ACCESS_READ` or `ACCESS_MANAGE`, for `session_seconds`
    since the last use, 12 hours at most. `presets`: sets of permissions to pick at once, by title; `None` = some that
    fit most catalogues. `title`: the heading. `trial`: where a new secret may be tried, if anywhere.
    `on_sign_in`: is told of each sign-in.

    Raises `BadInputError` and `UnknownPermissionError`.
    """
    sessions = Sessions(session_seconds)
    site = Site(
        keys=keys,
        title=title,
        presets=_checked_presets(keys, presets),
        entrance=SessionEntrance(keys, sessions) if authorize is None else AuthorizedEntrance(authorize),
        sessions=sessions,
        signs_in=authorize is None,
        desk=SignInDesk(Throttle(), on_sign_in),
        assets=Assets.load(),
        templates=_templates(keys),
        trial=trial,
    )
    page, open_page = site.page, site.open_page
    routes = [
        Route("/", page(key_list.show_list), methods=["GET"]),
        Route("/new", page(key_edit.show_new), methods=["GET"]),
        Route("/new", page(key_edit.create, holds=True), methods=["POST"]),
        Route("/change", page(key_change.ask), methods=["GET"]),
        Route("/change", page(key_change.change, holds=True), methods=["POST"]),
        Route("/keys/{key_id}", page(key_view.show_key), methods=["GET"]),
        Route("/keys/{key_id}/edit", page(key_edit.show_edit), methods=["GET"]),
        Route("/keys/{key_id}/edit", page(key_edit.edit, holds=True), methods=["POST"]),
        Route("/keys/{key_id}/rotate", page(key_secret.show_rotate), methods=["GET"]),
        Route("/keys/{key_id}/rotate", page(key_secret.rotate, holds=True), methods=["POST"]),
        Route("/keys/{key_id}/reset-limits", page(key_view.reset_limits, holds=True), methods=["POST"]),
        Route("/keys/{key_id}/reveal", page(key_secret.reveal), methods=["POST"]),
        Route("/keys/{key_id}/made", page(log.show_made), methods=["GET"]),
        Route("/keys/{key_id}/history", page(log.show_history), methods=["GET"]),
        Route("/roles", page(roles.show_roles), methods=["GET"]),
        Route("/roles/new", page(roles.show_new), methods=["GET"]),
        Route("/roles/new", page(roles.create, holds=True), methods=["POST"]),
        Route("/roles/{name}/edit", page(roles.show_edit), methods=["GET"]),
        Route("/roles/{name}/edit", page(roles.edit, holds=True), methods=["POST"]),
        Route("/roles/{name}/delete", page(roles.show_delete), methods=["GET"]),
        Route("/roles/{name}/delete", page(roles.delete, holds=True), methods=["POST"]),
        Route("/log", page(log.show_log), methods=["GET"]),
        Route(assets.PATH, site.assets.serve, methods=["GET"]),
    ]
    if authorize is None:
        routes += [
            Route("/sign-in", open_page(sign_in.show_sign_in), methods=["GET"]),
            Route("/sign-in", open_page(site.desk.sign_in), methods=["POST"]),
            Route("/sign-out", page(sign_in.sign_out), methods=["POST"]),
        ]
    handlers = {HTTPException: site.failed, Exception: site.failed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # it would redirect to whatever host the request names
    return SecurityHeaders(app)


def _checked_presets(keys: APIKeys, presets: Mapping[str, Iterable[str]] | None) -> Mapping[str, frozenset[str]]:
    if presets is None:
        return default_presets(keys.catalogue)
    return {title: keys.catalogue.check(names) for title, names in presets.items()}


def _templates(keys: APIKeys) -> Environment:
    environment = Environment(
        loader=PackageLoader("gatepost.admin.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "date": moments.date,
        "date_time": moments.date_time,
        "full": moments.full,
        "limit_most": limit_most,
        "limit_word": limit_text,
        "metadata_lines": metadata_lines,
        "relative": moments.relative,
        "resources_word": resources_word,
        "project_name": project_name,
        "project_value": project_value,
    }
    environment.globals |= {"limit_presets": LIMIT_PRESETS, "sentences": sentences(keys.catalogue)}
    return environment
