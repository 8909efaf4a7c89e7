"""How inner loops are compiled, and where the compiled code is kept.

Imports nothing of ours but the names of numpy's arrays.
"""
