"""The examples, as who reads them would run them."""
