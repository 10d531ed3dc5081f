"""What the service takes from its environment."""

import os

DATABASE_URL = os.environ["DATABASE_URL"]
FIRST_READER = os.environ.get("FIRST_READER", "librarian@example.com")
