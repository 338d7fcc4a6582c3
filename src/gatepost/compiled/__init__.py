"""The memory hit in C, where that was built. It knows no other room: what it works on it is given, and what it does not
decide is decided by the Python code of those who use it.
"""

from gatepost.compiled.compiled import Cell as Cell
from gatepost.compiled.compiled import Tally as Tally
from gatepost.compiled.compiled import hit_first as hit_first
from gatepost.compiled.compiled import is_built as is_built
from gatepost.compiled.compiled import let_in as let_in
from gatepost.compiled.compiled import memory_hit as memory_hit
