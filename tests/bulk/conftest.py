"""The fixtures for tests of rows in bulk: dbctl as a fork, on databases with the sample in them."""

from tests.harness.sample import sample, sample_database

__all__ = ["sample", "sample_database"]
