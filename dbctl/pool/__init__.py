"""A connection pool at work: measured under a load of dbctl's own, and counted inside a service."""
