"""The Redis behind this process's memory, and the doorbell in it. The only importer of redis-py; knows `base` only."""

from gatepost.redis.tier import RedisTier as RedisTier
