"""`Requires`: permissions on the fields of a GraphQL schema."""

import inspect
from collections.abc import Iterable
from typing import Any, TypeVar

from graphql import GraphQLError
from strawberry.extensions import FieldExtension
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from gatepost.asgi import On, PermissionCheck, requires
from gatepost.base import BadInputError, Quota, Rate

F = TypeVar("F", bound=StrawberryField)


class Requires(FieldExtension):
    """Lets a field, a mutation or a subscription be used only with the permissions named; arguments as for `requires`.

        @strawberry.subscription(extensions=[Requires("OBJECTS_LIST")])
        async def uploads(self) -> AsyncGenerator[str]: ...

    Or above strawberry's own decorator, where type checkers know what that answers, as they do not with `extensions=`:

        @Requires("OBJECTS_LIST")
        @strawberry.field
        def files(self) -> list[str]: ...

    It is asked before all other extensions of the field, in whatever order they are written. Who lacks one gets a
    GraphQL error, whose `extensions` are the problem (`code`, `required`, `missing`, ...); the resolver does not run,
    and a subscription does not begin. In `on=` the field's arguments stand in braces only where the route has no path
    parameters of its own. Over a WebSocket counts what its handshake was let in with; `fresh=True` asks anew. The
    schema must be executed asynchronously, as strawberry's views for ASGI do. Raises as `requires`.
    """

    def __init__(
        self,
        *permissions: str,
        any_of: Iterable[str] = (),
        fresh: bool = False,
        limit: Rate | Quota | None = None,
        cost: int = 1,
        on: On | None = None,
    ) -> None:
        self._requirement = requires(*permissions, any_of=any_of, fresh=fresh, limit=limit, cost=cost, on=on)

    def __call__(self, field: F) -> F:
        """The field, which asks too. Raises `BadInputError` for what is no field of strawberry's."""
        if not isinstance(field, StrawberryField):
            raise BadInputError(
                f'Requires("NAME") stands above @strawberry.field, not directly on the function {field!r:.80}', "field"
            )
        field.extensions = [*field.extensions, self]
        return field

    def apply(self, field: StrawberryField) -> None:
        """Called by strawberry, before it builds the resolver: this goes around all other extensions, as the last of
        them. One around it might answer by itself, and nobody would be asked."""
        field.extensions = [*(each for each in field.extensions if each is not self), self]

    @property
    def check(self) -> PermissionCheck:
        """What is asked."""
        return self._requirement.check

    async def resolve_async(self, next_: Any, source: Any, info: Info, **kwargs: Any) -> Any:
        """Called by strawberry: what the resolver answers."""
        problem = await self._requirement.refusal(kwargs)
        if problem is not None:
            raise GraphQLError(problem.members["message"], extensions=problem.members)
        answer = next_(source, info, **kwargs)
        return await answer if inspect.isawaitable(answer) else answer
