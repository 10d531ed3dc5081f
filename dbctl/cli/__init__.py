"""The command line: a projection of the functions in `dbctl.commands`."""
