"""Where a request is from: its connection, and what trusted proxies tell. Of the others it knows `base`."""

from gatepost.addresses.addresses import FORWARDED as FORWARDED
from gatepost.addresses.addresses import UNIX as UNIX
from gatepost.addresses.addresses import X_FORWARDED_FOR as X_FORWARDED_FOR
from gatepost.addresses.addresses import Addresses as Addresses
from gatepost.addresses.addresses import Seen as Seen
from gatepost.addresses.servers import ANYBODY as ANYBODY
from gatepost.addresses.servers import REMEDY as REMEDY
from gatepost.addresses.servers import environment_believes_anybody as environment_believes_anybody
from gatepost.addresses.servers import server_warning as server_warning
