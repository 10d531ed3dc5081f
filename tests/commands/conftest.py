"""The fixtures for tests of commands: dbctl as a fork, on databases with the sample in them."""

from tests.harness.sample import bare, quick, sample, sample_database

__all__ = ["bare", "quick", "sample", "sample_database"]
