"""The database: reads, changes, lists, the log, the rows of workers, usage. Only this room and those within it know
SQLAlchemy; of the others it knows `base`.
"""

from gatepost.database.chain import Chain as Chain
from gatepost.database.chain import LogRange as LogRange
from gatepost.database.changes import Change as Change
from gatepost.database.database import READ_MAX as READ_MAX
from gatepost.database.database import Database as Database
from gatepost.database.deliveries import Deliveries as Deliveries
from gatepost.database.deliveries import Delivery as Delivery
from gatepost.database.deliveries import Happening as Happening
from gatepost.database.deliveries import LeaseLostError as LeaseLostError
from gatepost.database.deliveries import Message as Message
from gatepost.database.deliveries import Render as Render
from gatepost.database.deliveries import Wanted as Wanted
from gatepost.database.doorbell import Doorbell as Doorbell
from gatepost.database.lists import EITHER_KIND as EITHER_KIND
from gatepost.database.lists import Ends as Ends
from gatepost.database.lists import Filter as Filter
from gatepost.database.lists import HasMember as HasMember
from gatepost.database.lists import Idle as Idle
from gatepost.database.lists import Listing as Listing
from gatepost.database.lists import Named as Named
from gatepost.database.lists import Place as Place
from gatepost.database.lists import Sort as Sort
from gatepost.database.lists import ends_of as ends_of
from gatepost.database.log import NEWEST as NEWEST
from gatepost.database.log import LogPage as LogPage
from gatepost.database.log import MadePage as MadePage
from gatepost.database.policies import Misfits as Misfits
from gatepost.database.policies import PolicyTables as PolicyTables
from gatepost.database.policies import StoredPolicy as StoredPolicy
from gatepost.database.quotas import Leased as Leased
from gatepost.database.role_rows import Known as Known
from gatepost.database.role_rows import list_roles as list_roles
from gatepost.database.standing import Creation as Creation
from gatepost.database.standing import KeyEdit as KeyEdit
from gatepost.database.standing import Standing as Standing
from gatepost.database.standing import creation_detail as creation_detail
from gatepost.database.usage import UsageBatch as UsageBatch
from gatepost.database.usage import UsagePage as UsagePage
from gatepost.database.usage import UsageTables as UsageTables
from gatepost.database.values import Event as Event
from gatepost.database.values import Position as Position
from gatepost.database.values import Reading as Reading
from gatepost.database.workers import NEVER_ACKED as NEVER_ACKED
from gatepost.database.workers import WorkerRow as WorkerRow
