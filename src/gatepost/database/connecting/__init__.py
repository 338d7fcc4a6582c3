"""From a URL to a connection: what hosts hand out, which driver, whose file, whether it leads to a primary."""

from gatepost.database.connecting.engine import changing as changing
from gatepost.database.connecting.engine import make_engine as make_engine
from gatepost.database.connecting.engine import mapped_errors as mapped_errors
from gatepost.database.connecting.engine import reading as reading
from gatepost.database.connecting.file import SqliteFile as SqliteFile
from gatepost.database.connecting.file import file_of as file_of
from gatepost.database.connecting.pooler import Pooling as Pooling
from gatepost.database.connecting.pooler import pooling_of as pooling_of
from gatepost.database.connecting.primary import is_cluster_node as is_cluster_node
from gatepost.database.connecting.primary import is_primary as is_primary
from gatepost.database.connecting.primary import replica_text as replica_text
from gatepost.database.connecting.primary import wait_for_other_nodes as wait_for_other_nodes
from gatepost.database.connecting.url import parse_url as parse_url
from gatepost.database.connecting.url import shown as shown
