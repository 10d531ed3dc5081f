"""What the tests hold dbctl with: its command line in a clean environment, and a fresh database to point it at."""
