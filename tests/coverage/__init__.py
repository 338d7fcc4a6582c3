"""What of an app is behind which permission."""
