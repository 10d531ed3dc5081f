"""SQL scripts: run statement by statement as the server splits them, and told by line, column and text where one fails.

A script is only looked at here for what no server knows, such as a client's own commands; it is the server's to parse.
"""
