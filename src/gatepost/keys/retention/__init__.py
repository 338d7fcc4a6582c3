"""What becomes of the past: the audit log exported and checked, old lines, usage and dead workers pruned."""

from gatepost.keys.retention.audit_log import AuditLog as AuditLog
from gatepost.keys.retention.pruning import USAGE_DAYS as USAGE_DAYS
from gatepost.keys.retention.pruning import USAGE_MONTHS as USAGE_MONTHS
from gatepost.keys.retention.pruning import Kept as Kept
from gatepost.keys.retention.pruning import prune as prune
