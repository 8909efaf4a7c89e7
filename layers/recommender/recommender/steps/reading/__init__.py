"""Rating files out of the bucket, whatever is in them.

Imports the storage and the snapshots of a run, and the readers of files.
"""
