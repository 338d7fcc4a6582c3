"""Who comes in to manage keys: what page and API need of a request before they do anything."""

from gatepost.admin.entry.client import address_of as address_of
from gatepost.admin.entry.cookies import Cookies as Cookies
from gatepost.admin.entry.cookies import check_single as check_single
from gatepost.admin.entry.cookies import name_of as name_of
from gatepost.admin.entry.entrance import SESSION_PURPOSE as SESSION_PURPOSE
from gatepost.admin.entry.entrance import Authorize as Authorize
from gatepost.admin.entry.entrance import AuthorizedEntrance as AuthorizedEntrance
from gatepost.admin.entry.entrance import Entrance as Entrance
from gatepost.admin.entry.entrance import Guest as Guest
from gatepost.admin.entry.entrance import OnSignIn as OnSignIn
from gatepost.admin.entry.entrance import SessionEntrance as SessionEntrance
from gatepost.admin.entry.entrance import Stranger as Stranger
from gatepost.admin.entry.session import Session as Session
from gatepost.admin.entry.session import Sessions as Sessions
