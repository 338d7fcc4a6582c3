"""A small digital-asset store in which each of the 31 built-in permissions guards a route that does the real thing."""

from gatepost.demo.app import EXEMPT as EXEMPT
from gatepost.demo.app import ROUTES as ROUTES
from gatepost.demo.app import asset_store as asset_store
from gatepost.demo.keys import LIFE as LIFE
from gatepost.demo.keys import PROJECT as PROJECT
from gatepost.demo.keys import demo_keys as demo_keys
from gatepost.demo.sample import fill as fill
from gatepost.demo.store import AssetStore as AssetStore
