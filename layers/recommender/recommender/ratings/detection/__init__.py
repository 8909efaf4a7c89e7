"""How a text file is written, told from its first lines: separator, quoting, columns, times.

Imports ``formats`` and its siblings that say what a column may be called and a cell may hold.
"""
