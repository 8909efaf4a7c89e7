"""The container's process: its folders, its account, its memory, and how it ends.

Imports ``errors``.
"""
