"""What a process tells of itself: its status, and its readiness."""
