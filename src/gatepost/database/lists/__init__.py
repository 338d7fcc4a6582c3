"""Which keys are meant, found fast however many there are: filters, orders, pages, counts. Reads, and only that."""

from gatepost.database.lists.conditions import Ends as Ends
from gatepost.database.lists.conditions import HasMember as HasMember
from gatepost.database.lists.conditions import Named as Named
from gatepost.database.lists.conditions import ends_of as ends_of
from gatepost.database.lists.conditions import has_term as has_term
from gatepost.database.lists.counting import count_keys as count_keys
from gatepost.database.lists.counting import projects_statement as projects_statement
from gatepost.database.lists.filter import EITHER_KIND as EITHER_KIND
from gatepost.database.lists.filter import Filter as Filter
from gatepost.database.lists.filter import Reads as Reads
from gatepost.database.lists.idle import Idle as Idle
from gatepost.database.lists.listing import Listing as Listing
from gatepost.database.lists.members import having as having
from gatepost.database.lists.order import Place as Place
from gatepost.database.lists.order import Sort as Sort
from gatepost.database.lists.selecting import select_keys as select_keys
