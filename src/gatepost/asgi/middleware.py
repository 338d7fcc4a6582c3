"""`APIKeyMiddleware`: lets in only who holds a usable key, and tells the app what the key may do. Pure ASGI."""

import logging
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from types import MethodType
from typing import Any

from starlette.authentication import UnauthenticatedUser
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.addresses import X_FORWARDED_FOR, Addresses
from gatepost.asgi.bounds import ASK_ON, Bounds, shown_in
from gatepost.asgi.caller import NO_CREDENTIALS, NO_PERMISSIONS, Caller
from gatepost.asgi.counting import Counting, Handshake
from gatepost.asgi.current import Served, refuse_late, serving, set_serving, task_of, telling_routes
from gatepost.asgi.ending import finish, unwind
from gatepost.asgi.expiry import ExpiryNotice
from gatepost.asgi.hits import hits
from gatepost.asgi.lifespan import Standing
from gatepost.asgi.limits import Limiting, announced, around
from gatepost.asgi.log import RefusalLog
from gatepost.asgi.refusing import OnError, Refusing
from gatepost.asgi.responses import Problem, unavailable
from gatepost.asgi.routes import Exemption, Exemptions, FreshPaths, Routing
from gatepost.asgi.second_look import Admitted, still
from gatepost.asgi.sources import Bearer, Extractor, Header, Source
from gatepost.asgi.starting import open_unasked, serve_other
from gatepost.asgi.streams import ConnectionEndedError, Socket, send_watched
from gatepost.asgi.uploads import EndUploads
from gatepost.base import (
    BadInputError,
    ConfigurationError,
    Limit,
    Outcome,
    Presented,
    Quota,
    Rate,
    Record,
    UnavailableError,
)
from gatepost.compiled import hit_first
from gatepost.keys import APIKeys, do_nothing
from gatepost.rules import Catalogue
from gatepost.temporary import TemporaryRecord

logger = logging.getLogger("gatepost.middleware")

VALID = Outcome.VALID


class APIKeyMiddleware:
    """Wraps an ASGI app. `http` and `websocket` need a usable key; `lifespan` opens and closes `keys`.

    `sources`: where a secret may stand. `exempt`: paths that need no key: `/health`, `/public/*`, or a function of the
    scope. `optional`: let requests without any secret in, unauthenticated; a wrong secret is refused all the same.
    `strip`: take what carried the secret out of the scope. `project`: the one that requests belong to, or a function of
    the scope that tells it; a key of another project is refused; `None` = every key is let in. Paths are those that the
    app routes, below its root path; functions are shown them so, as `path`, with an empty `root_path`. `realm`: for the
    challenge of a 401. `on_error(scope, problem)`: answers another ASGI app to refuse with, or `None` for the usual
    response; may be async. `trusted_proxies`, `header`: whose word on where a request is from is believed, as for
    `Addresses`; none = the connection's peer is the client. `limits`: how much may be used beside what keys' own limits
    say, by whose requests count together: `{"project": [Rate(1000, per=60)], "owner": [...], "all": [...], "key":
    [...]}`. `refusal_log`: tells the log of what is refused; `None` = `RefusalLog()`. `fresh`: paths, as for `exempt`,
    where the key is judged on the database's word (one round trip), whatever is remembered of it; a path that an app
    might take for one of them is one. `subject`: a function of the scope that tells whom the app knows a request to be
    from: a temporary secret that was issued for somebody is refused where it does not say the same. `expiry_notice`:
    seconds before its end from which on responses to a key's requests tell of that, as `API-Key-Expires: @1767225600`
    (a Date of RFC 9651); `None` = never.

    `end_connections`: end open connections once their secret is not usable any more, as soon as a new request with it
    would be refused. A WebSocket is closed with code 3000 and the outcome as the reason (1013 where nobody can vouch
    for the key: the database is cut off), and the app receives `websocket.disconnect`. A response that has more to come
    is cut: the app's task is cancelled, and this call raises `ConnectionEndedError`, so that the server drops the
    connection, and no middleware outside takes the response for complete. What the app sends then raises an `OSError`;
    a sync generator that runs in a thread ends at its next item. A response that begins is watched over from its first
    chunk on, and one of server-sent events from its start. `end_uploads`: also hand no further body to a request that
    is still being sent when its key dies: it receives `http.disconnect`, and the caller the refusal. Off, since it
    costs a request that reads its body some 10 µs.

    Into the scope go `limits` (what is left of them, where the key has any), `api_key` (the `APIKey`; `None` where
    there is none), `permissions` (a frozenset of names), `user` and `auth` (Starlette's). What stood there under these
    names is replaced. `user=False` leaves `scope["user"]` to the app: for what writes to it, as Django Channels does.
    On an exempt path nothing else is touched. Raises `BadInputError` for options that cannot be used.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: APIKeys,
        *,
        sources: Sequence[Source] = (Bearer(), Header("X-API-Key")),
        exempt: Sequence[Exemption] = (),
        optional: bool = False,
        strip: bool = True,
        project: str | Callable[[Scope], str | None] | None = None,
        realm: str = "api",
        on_error: OnError | None = None,
        fresh: Sequence[Exemption] = (),
        end_connections: bool = True,
        end_uploads: bool = False,
        user: bool = True,
        subject: Callable[[Scope], str | None] | None = None,
        trusted_proxies: Iterable[str] = (),
        header: str = X_FORWARDED_FOR,
        limits: Mapping[str, Iterable[Limit]] | None = None,
        refusal_log: RefusalLog | None = None,
        expiry_notice: float | None = None,
    ) -> None:
        if not isinstance(keys, APIKeys):
            raise BadInputError(f"keys must be an APIKeys, not {type(keys).__name__}")
        self.app = app
        self.keys = keys
        self._extractor = extractor = Extractor(sources, strip=strip)
        self._routing = Routing(app)
        self.exempt = Exemptions(exempt, self._routing) if exempt else None
        self.standing = Standing.of(keys, sources, exempt, strip=strip, optional=optional)
        self._fresh = FreshPaths(fresh, self._routing) if fresh else None
        self.refusal_log = RefusalLog() if refusal_log is None else refusal_log
        self._limiting = Limiting(limits, keys, self.refusal_log)
        asks_first = bool(exempt or fresh or self._limiting.binds_all) or project is not None
        self._take: Callable[[Scope], Any] = self._take_if_asked if asks_first else extractor.take
        """What a request shows: a secret's bytes, where a memory hit decides with nothing else to be asked, or what
        `_admit` is to judge."""
        self._end_connections = end_connections
        telling = telling_routes(app) if keys.counts_usage else app
        noticed = telling if expiry_notice is None else ExpiryNotice(telling, expiry_notice)
        self._serve = EndUploads(noticed) if end_uploads else noticed
        self._user = "user" if user else "api_key"
        """Where in a scope the user goes: the app's own, if it has one, is not touched."""
        self.takes_headers_only = all(isinstance(source, Bearer | Header) for source in sources)
        """Whether no secret can come in a URL."""
        self.addresses = Addresses(trusted_proxies, header)
        """Where requests are from."""
        self._address_of = self.addresses.of
        self._bounds = Bounds(project, subject, self._routing, self.addresses)
        self._counting = Counting(self.addresses)
        self._refusing = Refusing(sources, realm, on_error, self.refusal_log, self.addresses)
        self._let_in: object = None
        """What does memory hits, where that was compiled and nothing else is to be asked about a request."""
        if not asks_first and extractor.headers is not None:
            self._let_in = hits(
                keys,
                self._serve,
                extractor,
                self.addresses,
                partial(APIKeyMiddleware.__call__, self),
                user=self._user,
                is_watched=end_connections,
                counting=self._counting,
                limiting=self._limiting,
                refusing=self._refusing,
            )
        self.optional = optional

    @hit_first
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901, PLR0912, PLR0915
        """Serve one connection scope."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":  # noqa: PLR1714 - on the path of every request
            await serve_other(self, scope, receive, send)
            return
        take = self._take  # as methods these would be looked up in the class first
        keys = self.keys
        hit = keys.hit
        app = self._serve
        began = 0.0 if (uses := keys.uses) is None else uses.clock()
        taken: Any = take(scope)
        if type(taken) is not bytes or (
            (key := hit(digest := sha256(taken).digest())) is None
            and ((key := self._bounded_hit(digest, scope)) is None or type(key) in ASK_ON)
        ):
            if type(taken) is bytes and type(key) is TemporaryRecord:  # nothing is left to be asked
                digest = key.digest
            else:
                remembered = None if type(taken) is not bytes or key is None else (digest, key)
                if type(taken) is bytes:  # no variable holds a secret while anything is awaited
                    taken = Presented(taken) if remembered is None else Presented(digest=digest)
                entered = await self._enter(taken, remembered, scope, receive, send, began=began)
                uses = keys.uses  # they may have been opened meanwhile
                if entered is None:
                    return
                digest, key, app, send = entered  # type: ignore[assignment]  # two are None for nobody: served apart

        if key is not None:
            scope["api_key"] = scope[self._user] = taken = key  # nor while the app runs
            scope["permissions"] = key.permissions
            scope["auth"] = key.auth
            if kind == "websocket":
                await self._serve_socket(key, digest, scope, receive, send, app=app)
                return
            if self._end_connections:
                served: Served = [scope, self, digest, None, send, key, task_of(keys.loop)]
                send = MethodType(send_watched, served)
            else:
                served = [scope, self, digest, None]
        else:
            scope[self._user] = Caller(UnauthenticatedUser())
            scope["api_key"] = None
            scope["permissions"] = NO_PERMISSIONS
            scope["auth"] = NO_CREDENTIALS
            served = [scope, self, None, None]
        outer = serving()
        set_serving(served)
        try:
            await app(scope, receive, send)
        except BaseException as raised:
            if served[3] is None or not served[3].absorbs(raised):
                unwind(served, outer)
                raise
        finally:
            if uses is not None and key is not None:
                self._counting.let_in(uses, key, digest, scope, began)
        if outer or served[3]:
            await finish(served, outer)
        served.clear()  # the context and its copies live on, in a server's timers say: they must not hold it

    @property
    def catalogue(self) -> type[Catalogue]:
        """Which permissions the keys can have."""
        return self.keys.catalogue

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop that the keys belong to. Raises `ConfigurationError` while they are closed."""
        if self.keys.loop is None:
            raise ConfigurationError("The keys have been closed while a request was being served")
        return self.keys.loop

    async def renew(self, digest: bytes, *scopes: Scope) -> Problem | None:
        """Judge a caller that was let in with the secret of `digest` (32 bytes) anew, on the database's word: the
        refusal, or `None` once the scopes tell of them as they are now. One round trip."""
        judged = await self._judge(shown_in(scopes[0], digest, fresh=True), scopes[0])
        if isinstance(judged, Record) and (denied := self._bounds.outcome_anew(judged, scopes[0])) is not VALID:
            judged = self._refusing.told(denied, judged, scopes[0])
        if isinstance(judged, Problem):
            refuse_late(scopes[0], judged.outcome, self.keys)
            return judged
        for scope in scopes:
            scope["api_key"] = scope[self._user] = judged
            scope["permissions"] = judged.permissions
            scope["auth"] = judged.auth
        return None

    async def outcome_of(self, digest: bytes, scope: Scope) -> Outcome:
        """How a request like `scope` with the secret of `digest` (32 bytes), which was let in before, would be judged
        if it began now. No I/O where memory knows it."""
        presented = shown_in(scope, digest)
        presented.address = self.addresses.of(scope)
        if presented.claims is None and (self.keys.hit(digest) or self._bounded_hit(digest, scope)):
            return Outcome.VALID
        try:
            return (await self.keys.judge_presented(presented))[0]
        except UnavailableError:
            return Outcome.UNAVAILABLE

    def attend(self, digest: bytes, key: Record, scope: Scope, end: Callable[[Outcome], None]) -> Callable[[], None]:
        """Have `end` called when the connection of `scope` must not go on: `APIKeys.attend`."""
        return self.keys.attend(digest, key, end, self.addresses.of(scope))

    async def refuse_with(self, outcome: Outcome, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a connection that was let in before, and has not been answered yet."""
        refuse_late(scope, outcome, self.keys)
        await self._refusing.answer(self._refusing.problems[outcome], scope, receive, send)

    async def _serve_socket(
        self, key: Record, digest: bytes, scope: Scope, receive: Receive, send: Send, *, app: ASGIApp
    ) -> None:
        if self._user == "user":
            scope["user"] = Caller(key)

        async def refuse(outcome: Outcome, receive: Receive) -> None:
            await self.refuse_with(outcome, scope, receive, send)

        attend = partial(self.attend, digest, key, scope) if self._end_connections else lambda _end: do_nothing
        socket = Socket(receive, send, attend, refuse)
        uses = self.keys.uses
        count = do_nothing if uses is None else partial(self._counting.let_in, uses, key, digest, scope, uses.clock())
        handshake = Handshake(socket.send, count)
        served: Served = [scope, self, digest, None]
        outer = serving()
        set_serving(served)
        try:
            await app(scope, socket.receive, handshake.send)
        except ConnectionEndedError:
            if socket.outcome is None:  # of another connection
                raise
        finally:
            handshake.count()
            unwind(served, outer)
            await socket.leave()

    def _take_if_asked(self, scope: Scope) -> Presented | Outcome | None:
        """What a request shows whose path or project counts too; `None` where no key is asked for: then nothing of the
        request is touched."""
        if self.exempt is not None and self.exempt.match(scope):
            self._extractor.hide(scope)
            return None
        taken = self._extractor.take(scope)
        if isinstance(taken, Outcome):
            return taken
        presented = Presented(taken)
        del taken  # before a function of the app's may look at the scope
        presented.fresh = self._fresh is not None and self._fresh.match(scope)
        return presented

    async def _enter(
        self,
        shown: Presented | Outcome | None,
        remembered: Admitted | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        began: float,
    ) -> tuple[bytes | None, Record | None, ASGIApp, Send] | None:
        """Who is let in, as `_admit` has it, with the app and the `send` to serve them with; `None` = nobody, and that
        is answered and counted. `remembered`: the key, where memory has let it in but for its limits. `began`: as for
        `Counting.refused`."""
        app = self._serve
        admitted = remembered or await self._admit(shown, scope)
        if not isinstance(admitted, Problem):
            key = admitted[1]
            if key is None or not self._limiting.binds(key):
                return *admitted, app, send
            one = self._limiting.take_one(key, scope)
            if one is not None:
                return *admitted, around(one, app), announced(one, send)
            limits = await self._limiting.take(key, scope)
            if isinstance(limits, Problem):
                if isinstance(shown, Presented):
                    shown.key_id = key.id
                admitted = limits
            else:
                admitted = await still(self.keys, admitted, limits, scope, partial(self._admit, shown, scope))
                if not isinstance(admitted, Problem):
                    return *admitted, around(limits, app), announced(limits, send)
        self._counting.refused(self.keys, admitted.outcome, shown, scope, began)
        await self._refusing.answer(admitted, scope, receive, send)
        return None

    async def _admit(self, presented: Presented | Outcome | None, scope: Scope) -> Admitted | Problem:
        """Who is let in with what a request shows, with the digest (32 bytes) that lets them in; or the refusal. `None`
        twice where no key is needed and none is presented."""
        if presented is None:
            return None, None
        if isinstance(presented, Presented) and presented.is_empty:
            presented = Outcome.MISSING
        if isinstance(presented, Outcome):
            needs_none = self.optional and presented is Outcome.MISSING
            return (None, None) if needs_none else self._refusing.told(presented, None, scope)
        digest = presented.digest
        remembered: Record | None = None
        if not presented.fresh and presented.claims is None:  # else the digest may be the parent's, which may do more
            remembered = self.keys.hit(digest) or self._bounded_hit(digest, scope) or self.keys.temporary_hit(digest)
        admitted = remembered or await self._judge(presented, scope)
        if isinstance(admitted, Problem):
            return admitted
        if type(admitted) is TemporaryRecord:
            digest, presented.claims = admitted.digest, admitted.claims
        elif not self._bounds.has_project:
            return digest, admitted
        outcome = self._bounds.outcome(admitted, scope)
        if outcome is not Outcome.VALID:
            presented.key_id = admitted.id
            return self._refusing.told(outcome, admitted, scope)
        return digest, admitted

    def _bounded_hit(self, digest: bytes, scope: Scope) -> Record | None:
        """As `APIKeys.hit`, for a key that has networks or limits, if the request is within the networks. From the
        limits it is still to be taken. Or for a temporary secret, if nothing is left to be asked."""
        key = self.keys.bounded_hit(digest)
        if key is None and (one := self.keys.temporary_hit(digest)) is not None:
            is_denied = one.is_bound and self._bounds.outcome(one, scope) is not VALID
            return None if is_denied or self._limiting.binds(one) else one
        if key is None or key.networks is None:
            return key
        address = self._address_of(scope)
        return key if (key.judged is not None and key.judged.get(address)) or key.admits(address) else None

    async def spend(self, scope: Scope, limit: Rate | Quota | None, cost: int) -> Problem | None:
        """Take what a route costs (`Limiting.spend`): the refusal, or `None`."""
        return await self._limiting.spend(scope, limit, cost)

    async def _judge(self, presented: Presented, scope: Scope) -> Record | Problem:
        """The key of a secret that memory does not know as usable here, or is not to be asked for; or the refusal."""
        presented.address = self.addresses.of(scope)
        try:
            if not self.keys.is_open:  # a server without lifespan
                await open_unasked(self)
            outcome, key = await self.keys.judge_presented(presented)
        except UnavailableError as failure:
            logger.error("%s", failure)  # noqa: TRY400 - an outage is no fault of ours: no traceback per request
            return unavailable(failure.retry_after)
        if outcome is Outcome.VALID and key is not None:
            return key
        presented.key_id = presented.key_id if key is None else key.id
        return self._refusing.told(outcome, key, scope)
