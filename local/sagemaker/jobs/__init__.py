"""What training jobs and transform jobs have in common: record, operations, work in a thread.

Imports ``account``, ``containers`` and what stands beside the packages.
"""
