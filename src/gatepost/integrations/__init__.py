"""What one framework alone needs: a room for each, which its users import by name. Nothing else imports them."""
