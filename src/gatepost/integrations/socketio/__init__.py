"""python-socketio: `Guard(sio)` lets `requires` stand on its event handlers."""

from gatepost.integrations.socketio.guard import Guard as Guard
