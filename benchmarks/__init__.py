"""What gatepost is measured by. Each is run by a command of its own; `make` lists them."""
