"""A lending library: a service that starts as many do, by waiting, migrating, and putting in what it begins with."""
