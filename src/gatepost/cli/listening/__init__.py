"""A server of an app, at the shell. Of the others it knows `base`."""

from gatepost.cli.listening.listening import Server as Server
from gatepost.cli.listening.listening import bound as bound
from gatepost.cli.listening.listening import url_of as url_of
