"""strawberry-graphql: `Requires("NAME")`, an extension of fields, mutations and subscriptions."""

from gatepost.integrations.strawberry.extension import Requires as Requires
