"""Templates of temporary secrets: `keys.templates`, and issuing. Of the rooms of `keys` it knows `changing`, `given`
and `parts`.
"""

from gatepost.keys.templates.issuing import Named as Named
from gatepost.keys.templates.issuing import Narrowing as Narrowing
from gatepost.keys.templates.templates import Templates as Templates
