"""How the shell shows things: lines, tables, JSON, progress, page after page."""

from gatepost.cli.output.console import STATUS as STATUS
from gatepost.cli.output.console import is_terminal as is_terminal
from gatepost.cli.output.console import print_json as print_json
from gatepost.cli.output.console import print_line as print_line
from gatepost.cli.output.console import print_note as print_note
from gatepost.cli.output.console import print_pairs as print_pairs
from gatepost.cli.output.console import print_rows as print_rows
from gatepost.cli.output.paging import collect as collect
from gatepost.cli.output.paging import note_more as note_more
from gatepost.cli.output.paging import pages as pages
from gatepost.cli.output.progress import Phases as Phases
from gatepost.cli.output.views import EVENT_HEADS as EVENT_HEADS
from gatepost.cli.output.views import LIST_HEADS as LIST_HEADS
from gatepost.cli.output.views import event_row as event_row
from gatepost.cli.output.views import key_row as key_row
from gatepost.cli.output.views import print_issued as print_issued
from gatepost.cli.output.views import print_key as print_key
from gatepost.cli.output.views import print_keys as print_keys
from gatepost.cli.output.views import print_receipt as print_receipt
from gatepost.cli.output.views import print_revealed as print_revealed
from gatepost.cli.output.views import print_verdict as print_verdict
from gatepost.cli.output.views import tell_receipt as tell_receipt
