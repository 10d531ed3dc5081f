"""One module a subcommand, one package a group of them. They are found by walking this package."""
