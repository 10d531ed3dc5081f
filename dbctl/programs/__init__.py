"""Programs that are run with a profile's connection: any program, and the database's own clients.

`running` runs any, `shell` a client on the terminal; `attending` waits for its end, and hands signals on.
"""
