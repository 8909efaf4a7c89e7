"""A run: its name, files and settings, what it asks of SageMaker, and what is told of its end.

Imports ``dataset`` and ``catalog``, and what stands beside the packages.
"""
