"""What a user's type checkers say."""
