"""A GraphQL schema of strawberry's behind the keys, over HTTP and WebSockets of both protocols."""
# mypy: disable-error-code="untyped-decorator"

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import orjson
import pytest
import strawberry
from fastapi import FastAPI
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.extensions import FieldExtension
from strawberry.fastapi import GraphQLRouter
from websockets.asyncio.client import connect

from gatepost import APIKeyMiddleware, APIKeys, BadInputError, Rate, requires
from gatepost.integrations.strawberry import Requires
from tests.frameworks.conftest import Issuance
from tests.frameworks.connection import bearer, client_of
from tests.frameworks.contract import ran
from tests.integrations.served import served


@strawberry.type
class Query:
    @strawberry.field(extensions=[Requires("OBJECTS_LIST")])
    def files(self) -> list[str]:
        return ["sunset.jpg"]

    @strawberry.field
    @requires("FILE_UPLOAD")
    async def decorated(self, info: strawberry.Info) -> str:
        return f"done{info and ''}"

    @strawberry.field
    @requires("FILE_UPLOAD")
    def decorated_sync(self) -> str:
        return "done"

    @Requires("FILE_UPLOAD")
    @strawberry.field
    def above(self) -> str:
        return "done"

    @strawberry.field(extensions=[Requires("OBJECTS_LIST", fresh=True)])
    async def fresh(self) -> str:
        return "done"

    @strawberry.field(extensions=[Requires(any_of=["OBJECTS_LIST"], limit=Rate(2, per=3600, name="graphql"))])
    async def limited(self) -> str:
        return "done"


@strawberry.type
class Mutation:
    @strawberry.mutation(extensions=[Requires("FILE_UPLOAD")])
    async def upload(self, name: str) -> str:
        ran.append(name)
        return name


@strawberry.type
class Subscription:
    @Requires("FILE_UPLOAD")
    @strawberry.subscription
    async def uploads_above(self, count: int) -> AsyncGenerator[int, None]:
        ran.append("subscription")
        yield count

    @strawberry.subscription(extensions=[Requires("FILE_UPLOAD")])
    async def uploads(self, count: int) -> AsyncGenerator[int, None]:
        ran.append("subscription")
        for number in range(count):
            yield number


schema = strawberry.Schema(Query, Mutation, Subscription)


def of_fastapi() -> Any:
    app = FastAPI()
    app.include_router(GraphQLRouter(schema), prefix="/graphql")
    return app


def of_starlette() -> Any:
    app = Starlette()
    app.mount("/graphql", GraphQL[Any, Any](schema))
    return app


apps = pytest.mark.parametrize("make", [of_fastapi, of_starlette])


def told(answer: httpx2.Response) -> Any:
    """The first error, which tells what is missing."""
    (error,) = answer.json()["errors"]
    assert error["message"] == "The API key lacks a permission that this needs."
    return error["extensions"]


@apps
async def test_fields_and_mutations_are_for_who_may_and_others_learn_why(
    keys: APIKeys, issuance: Issuance, make: Any
) -> None:
    async with client_of(APIKeyMiddleware(make(), keys)) as client:
        path = "/graphql/" if make is of_starlette else "/graphql"

        async def asked(secret: str, query: str) -> httpx2.Response:
            return await client.post(path, json={"query": query}, headers=bearer(secret))

        reader, uploader = issuance.reader.secret, issuance.uploader.secret
        assert (await asked(reader, "{files}")).json()["data"] == {"files": ["sunset.jpg"]}
        upload = 'mutation {upload(name: "cat.png")}'
        for query in (upload, "{decorated}", "{decoratedSync}", "{above}"):
            refused = told(await asked(reader, query))
            assert (refused["code"], refused["missing"]) == ("permission_denied", ["FILE_UPLOAD"])
        assert ran == []
        assert (await asked(uploader, upload)).json()["data"] == {"upload": "cat.png"}
        assert (await asked(uploader, "{decorated decoratedSync above}")).json()["data"]["above"] == "done"
        for _ in range(2):
            assert "errors" not in (await asked(reader, "{limited}")).json()
        assert (await asked(reader, "{limited}")).json()["errors"][0]["extensions"]["code"] == "limit_exceeded"
        ran.clear()


@apps
@pytest.mark.parametrize("protocol", ["graphql-transport-ws", "graphql-ws"])
async def test_a_subscription_begins_for_who_may_alone(
    keys: APIKeys, issuance: Issuance, make: Any, protocol: str
) -> None:
    begin = "subscribe" if protocol == "graphql-transport-ws" else "start"

    async def asked(place: str, secret: str, query: str) -> list[dict[str, Any]]:
        """What came, until it was complete or refused."""
        found: list[dict[str, Any]] = []
        async with connect(
            f"ws://{place}/graphql/" if make is of_starlette else f"ws://{place}/graphql",
            additional_headers=bearer(secret),
            subprotocols=[protocol],  # type: ignore[list-item]
        ) as socket:
            await socket.send('{"type":"connection_init"}')
            await socket.send(orjson.dumps({"id": "1", "type": begin, "payload": {"query": query}}).decode())
            while not found or found[-1]["type"] not in {"complete", "error"}:
                message = orjson.loads(await socket.recv())
                if message["type"] not in {"connection_ack", "ka"}:
                    found.append(message)
        return found

    async with served(APIKeyMiddleware(make(), keys)) as place:
        query = "subscription {uploads(count: 2)}"
        *numbers, _ = await asked(place, issuance.uploader.secret, query)
        assert [each["payload"]["data"]["uploads"] for each in numbers] == [0, 1]
        ran.clear()
        for begun in (query, "subscription {uploadsAbove(count: 2)}"):
            refused = orjson.dumps(await asked(place, issuance.reader.secret, begun)).decode()
            assert '"code":"permission_denied"' in refused
            assert '"missing":["FILE_UPLOAD"]' in refused
            assert ran == []
        for field in ("decorated", "decoratedSync") if protocol == "graphql-transport-ws" else ():
            refused = orjson.dumps(await asked(place, issuance.reader.secret, f"{{{field}}}")).decode()
            assert '"code":"permission_denied"' in refused


class Cache(FieldExtension):
    """Answers by itself, as a cache does; it is sync and async, as strawberry lets extensions be."""

    def resolve(self, *_: Any, **__: Any) -> str:
        return "cached"

    async def resolve_async(self, *_: Any, **__: Any) -> str:
        return "cached"


async def test_an_extension_that_answers_by_itself_does_not_answer_who_may_not(
    keys: APIKeys, issuance: Issuance
) -> None:
    one, other = Requires("FILE_UPLOAD"), Requires("OBJECTS_LIST")

    @strawberry.type
    class Cached:
        @strawberry.field(extensions=[Requires("FILE_UPLOAD"), Cache()])
        async def first(self) -> str:
            return ""

        @strawberry.field(extensions=[Cache(), Requires("FILE_UPLOAD")])
        def last(self) -> str:
            return ""

        @Requires("FILE_UPLOAD")
        @strawberry.field(extensions=[Cache()])
        async def above(self) -> str:
            return ""

        @strawberry.field(extensions=[one, other, Cache()])
        def several(self) -> str:
            return ""

    uploads = await keys.create("uploads", ["FILE_UPLOAD"])
    for _ in range(2):  # a field may be in several schemas
        app = Starlette()
        app.mount("/graphql", GraphQL[Any, Any](strawberry.Schema(Cached)))
        async with client_of(APIKeyMiddleware(app, keys)) as client:

            async def asked(secret: str, query: str, client: httpx2.AsyncClient = client) -> httpx2.Response:
                return await client.post("/graphql/", json={"query": query}, headers=bearer(secret))

            for field in ("first", "last", "above", "several"):
                assert told(await asked(issuance.reader.secret, f"{{{field}}}"))["missing"] == ["FILE_UPLOAD"]
            assert told(await asked(uploads.secret, "{several}"))["missing"] == ["OBJECTS_LIST"]
            answer = await asked(uploads.secret, "{first last above}")
            assert answer.json()["data"] == dict.fromkeys(("first", "last", "above"), "cached")


async def test_fresh_asks_anew(keys: APIKeys, issuance: Issuance) -> None:
    async with (
        served(APIKeyMiddleware(of_fastapi(), keys)) as place,
        connect(
            f"ws://{place}/graphql",
            additional_headers=bearer(issuance.reader.secret),
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
        ) as socket,
    ):
        await socket.send('{"type":"connection_init"}')
        await socket.recv()
        for name, answer in (("1", '"data":{"fresh":"done"}'), ("2", '"missing":["OBJECTS_LIST"]')):
            await socket.send(f'{{"id":"{name}","type":"subscribe","payload":{{"query":"{{fresh}}"}}}}')
            told = ""
            while "payload" not in told:
                told = str(await socket.recv())
            assert answer in told.replace(" ", "")
            await keys.update(issuance.reader.key.id, permissions=["FILE_UPLOAD"], wait="commit")


async def test_without_a_middleware_nobody_is_let_in() -> None:
    async with client_of(of_fastapi()) as client:
        (error,) = (await client.post("/graphql", json={"query": "{files}"})).json()["errors"]
    assert "wrap the app in gatepost.APIKeyMiddleware" in error["message"]


def test_a_decorated_subscription_is_told_what_to_write() -> None:
    async def uploads() -> AsyncGenerator[int, None]:
        yield 1

    with pytest.raises(BadInputError, match=r'subscription\(extensions=\[Requires\("NAME"\)\]\)'):
        requires("FILE_UPLOAD")(uploads)
    with pytest.raises(BadInputError, match="names no permission"):
        Requires()
    with pytest.raises(BadInputError, match="field, not directly on the function"):
        Requires("FILE_UPLOAD")(uploads)  # type: ignore[type-var]
