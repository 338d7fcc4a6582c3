"""`IdleKeys`: keys that nobody uses are switched off, where their policies say so, by one process."""

from gatepost.idle.idle_keys import IdleKeys as IdleKeys
