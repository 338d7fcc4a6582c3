"""What is told to the outside: who delivers, what is on its way, what was given up."""

from gatepost.database.deliveries.deliveries import Deliveries as Deliveries
from gatepost.database.deliveries.lease import LeaseLostError as LeaseLostError
from gatepost.database.deliveries.queue import Happening as Happening
from gatepost.database.deliveries.queue import Message as Message
from gatepost.database.deliveries.queue import Render as Render
from gatepost.database.deliveries.sending import Delivery as Delivery
from gatepost.database.deliveries.sweep import Wanted as Wanted
