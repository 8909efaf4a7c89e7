"""A stack from its user's side: ratings dropped, runs followed, the API called.

Imports ``emulator``, for where the stack is.
"""
