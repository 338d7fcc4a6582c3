"""ASGI apps that tell how a worker does: to load balancers, and to the auditor. Know `keys` and `asgi`."""

from gatepost.probes.audit_endpoint import DIGESTS_MAX as DIGESTS_MAX
from gatepost.probes.audit_endpoint import TOKEN_HEADER as TOKEN_HEADER
from gatepost.probes.audit_endpoint import AuditEndpoint as AuditEndpoint
from gatepost.probes.audit_endpoint import checked_token as checked_token
from gatepost.probes.readiness import Readiness as Readiness
