"""`suite` is a user's, and runs by itself."""

collect_ignore = ["suite"]
