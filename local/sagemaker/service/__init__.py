"""Calls in, answers out: the HTTP server, the operation a call means, the check of its request.

The only package that knows every operation. Imports any other; only ``__main__`` imports it.
"""
