"""What was typed into the page's forms, and what is wrong with it. Pure."""

from gatepost.admin.page.typed.bounds import EVERYTHING as EVERYTHING
from gatepost.admin.page.typed.bounds import LISTED as LISTED
from gatepost.admin.page.typed.bounds import NOTHING as NOTHING
from gatepost.admin.page.typed.bounds import resources_lines as resources_lines
from gatepost.admin.page.typed.bounds import resources_word as resources_word
from gatepost.admin.page.typed.key_form import ANYWHERE as ANYWHERE
from gatepost.admin.page.typed.key_form import KEEP as KEEP
from gatepost.admin.page.typed.key_form import NEVER as NEVER
from gatepost.admin.page.typed.key_form import NOWHERE as NOWHERE
from gatepost.admin.page.typed.key_form import ON_DATE as ON_DATE
from gatepost.admin.page.typed.key_form import SPANS as SPANS
from gatepost.admin.page.typed.key_form import KeyForm as KeyForm
from gatepost.admin.page.typed.key_form import metadata_lines as metadata_lines
from gatepost.admin.page.typed.key_form import new_idempotency_key as new_idempotency_key
from gatepost.admin.page.typed.key_form import own_permissions as own_permissions
from gatepost.admin.page.typed.role_form import RoleForm as RoleForm
