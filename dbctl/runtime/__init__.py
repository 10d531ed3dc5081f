"""What dbctl needs of the machine it runs on, and what knows of no database.

Waits that hear a signal, deadlines at a socket, pauses between tries, names and addresses; foreign code that is run in
this process, and what to say of its errors; containers and mounts; what is installed.
"""
