"""What redis-py raises, for who stands in for it."""

from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ResponseError

__all__ = ["LostError", "ResponseError"]
