"""A service of the tests' own: ships and their ports, as any service has models, functions and commands."""
