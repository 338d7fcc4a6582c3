"""The Redis behind this process's memory, and the doorbell in it. The only importer of redis-py; knows `base` only."""

from gatepost.redis.errors import LostError as LostError
from gatepost.redis.errors import ResponseError as ResponseError
from gatepost.redis.single import Single as Single
from gatepost.redis.tier import RedisTier as RedisTier
