"""The REST API, over the verbs of `APIKeys`: the same names, and no rules of its own."""

from gatepost.admin.api.app import make_api as make_api
from gatepost.admin.api.app import make_document as make_document
