"""The sample's commands, mounted as those of any service."""
