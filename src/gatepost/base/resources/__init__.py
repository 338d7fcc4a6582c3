"""Resources: what a permission is limited to, and whether a request touches that. Pure."""

from gatepost.base.resources.permissions import Granted as Granted
from gatepost.base.resources.permissions import by_roles_of as by_roles_of
from gatepost.base.resources.permissions import by_roles_text as by_roles_text
from gatepost.base.resources.permissions import covers_granted as covers_granted
from gatepost.base.resources.permissions import covers_permission as covers_permission
from gatepost.base.resources.permissions import granted as granted
from gatepost.base.resources.permissions import granted_of as granted_of
from gatepost.base.resources.permissions import names_of_granted as names_of_granted
from gatepost.base.resources.permissions import narrowed as narrowed
from gatepost.base.resources.resource import RESOURCE_MAX as RESOURCE_MAX
from gatepost.base.resources.resource import RESOURCES_MAX as RESOURCES_MAX
from gatepost.base.resources.resource import Resources as Resources
from gatepost.base.resources.resource import checked_resources as checked_resources
from gatepost.base.resources.resource import common_resources as common_resources
from gatepost.base.resources.resource import normal_path as normal_path
from gatepost.base.resources.resource import normal_resource as normal_resource
from gatepost.base.resources.resource import reaches as reaches
from gatepost.base.resources.resource import resources_of as resources_of
from gatepost.base.resources.resource import resources_text as resources_text
from gatepost.base.resources.resource import within_resources as within_resources
