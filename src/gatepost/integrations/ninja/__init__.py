"""Django Ninja: `NinjaAPI`, its own one with what is to be known of keys."""

from gatepost.integrations.ninja.api import NinjaAPI as NinjaAPI
from gatepost.integrations.ninja.api import NinjaOptions as NinjaOptions
