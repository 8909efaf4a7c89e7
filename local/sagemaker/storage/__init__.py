"""What lies in S3, and the archives that models are kept in there.

Imports what stands beside the packages.
"""
