"""The chain over the audit log in the database: sealed, read to be checked and exported, pruned at its beginning."""

from gatepost.database.chain.chain import Chain as Chain
from gatepost.database.chain.reading import LogRange as LogRange
