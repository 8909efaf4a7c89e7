"""Whole runs of MovieLens-100K on a local stack: the demo, and the capture of ``tests/events``.

Imports ``client`` and ``emulator``.
"""
