"""What an OpenAPI document says of the keys. It knows no framework."""

from gatepost.integrations.openapi.gate import Gate as Gate
from gatepost.integrations.openapi.gate import Json as Json
from gatepost.integrations.openapi.gate import Operations as Operations
from gatepost.integrations.openapi.options import Options as Options
from gatepost.integrations.openapi.options import exempt_paths as exempt_paths
from gatepost.integrations.openapi.options import gate_of as gate_of
