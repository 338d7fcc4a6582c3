"""The chain of hashes over the audit log: how it is made, what a look at it has found, and what pruning did. Pure."""

from gatepost.base.trail.check import FLAWS_MAX as FLAWS_MAX
from gatepost.base.trail.check import Flaw as Flaw
from gatepost.base.trail.check import FlawKind as FlawKind
from gatepost.base.trail.check import LogCheck as LogCheck
from gatepost.base.trail.files import FileCheck as FileCheck
from gatepost.base.trail.links import BEGINNING as BEGINNING
from gatepost.base.trail.links import CHAIN_FIELDS as CHAIN_FIELDS
from gatepost.base.trail.links import NOTHING as NOTHING
from gatepost.base.trail.links import Anchor as Anchor
from gatepost.base.trail.links import Content as Content
from gatepost.base.trail.links import Link as Link
from gatepost.base.trail.links import Links as Links
from gatepost.base.trail.links import line_of as line_of
from gatepost.base.trail.links import line_text as line_text
from gatepost.base.trail.links import sealed_line as sealed_line
from gatepost.base.trail.pruning import BEHIND as BEHIND
from gatepost.base.trail.pruning import Hold as Hold
from gatepost.base.trail.pruning import Pruned as Pruned
from gatepost.base.trail.pruning import PrunedLog as PrunedLog
from gatepost.base.trail.pruning import hold_of_worker as hold_of_worker
from gatepost.base.trail.pruning import prunable_to as prunable_to
from gatepost.base.trail.walk import Walk as Walk
