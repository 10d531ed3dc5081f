"""MySQL and MariaDB, by PyMySQL and asyncmy: all that is theirs alone."""
