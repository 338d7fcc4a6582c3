"""The one command that gatepost writes itself, against redis-py's own writing of it."""

from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection

from gatepost.redis.single import packed_mget

LENGTHS = st.integers(1, 40)
NAMES = LENGTHS.flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1, max_size=300))


@given(NAMES)
def test_it_is_sent_as_redis_py_would_send_it(names: list[bytes]) -> None:
    assert packed_mget(names) == b"".join(Connection().pack_command("MGET", *names))
