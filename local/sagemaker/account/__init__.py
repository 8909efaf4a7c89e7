"""What exists in this account: records by name, their lists, their tags, and parts of answers.

Imports ``faults``.
"""
