"""Keys in files: JSON lines and CSV, out and in."""

from gatepost.cli.formats.formats import EXPORTED as EXPORTED
from gatepost.cli.formats.formats import IMPORTED as IMPORTED
from gatepost.cli.formats.formats import Format as Format
from gatepost.cli.formats.formats import format_of as format_of
from gatepost.cli.formats.formats import key_writer as key_writer
from gatepost.cli.formats.formats import read_keys as read_keys
