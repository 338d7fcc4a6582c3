"""The page where people manage keys: rendered on the server, with a little JavaScript that it does not need."""

from gatepost.admin.page.app import make_page as make_page
from gatepost.admin.page.trial import Trial as Trial
