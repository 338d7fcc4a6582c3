"""What was let in and goes on, and the guard that ends it. Knows `lookup` and `freshness`."""

from gatepost.connections.connections import Connections as Connections
from gatepost.connections.guard import Guard as Guard
