"""The auditor, which asks workers and database from outside and compares what they say. Knows both."""

from gatepost.audit.asking import Asking as Asking
from gatepost.audit.auditor import Auditor as Auditor
from gatepost.audit.auditor import Round as Round
from gatepost.audit.auditor import Violation as Violation
from gatepost.audit.metrics import Metrics as Metrics
