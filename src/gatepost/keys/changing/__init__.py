"""The frame that all changes of keys share: who acts and may, one transaction, an answer for each key, and the wait
until every worker acts on it.
"""

from gatepost.keys.changing.change import change_keys as change_keys
from gatepost.keys.changing.change import changed_by as changed_by
from gatepost.keys.changing.change import key_to_change as key_to_change
from gatepost.keys.changing.edits import TERMS as TERMS
from gatepost.keys.changing.edits import check_edit as check_edit
from gatepost.keys.changing.edits import key_edit as key_edit
from gatepost.keys.changing.edits import new_values as new_values
from gatepost.keys.changing.edits import takes_away as takes_away
from gatepost.keys.changing.grants import grant_roles as grant_roles
from gatepost.keys.changing.grants import granted as granted
from gatepost.keys.changing.grants import limited_by_roles as limited_by_roles
from gatepost.keys.changing.grants import own_permissions as own_permissions
from gatepost.keys.changing.nearest import ROLES_MAX as ROLES_MAX
from gatepost.keys.changing.nearest import add_nearest as add_nearest
from gatepost.keys.changing.spreading import Patience as Patience
from gatepost.keys.changing.spreading import announce as announce
from gatepost.keys.changing.spreading import invalidate as invalidate
from gatepost.keys.changing.spreading import settled as settled
