"""A profile's database as such: whether it is there, created, dropped; and the roles that work in it."""
