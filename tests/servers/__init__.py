"""Real database servers, started by the tests in directories and on ports of their own, and gone after them."""
