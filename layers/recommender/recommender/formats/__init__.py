"""What an uploaded file holds: bytes to text, and text, JSON and Parquet to cells.

Knows no ratings and no catalogs. Imports nothing of ours but ``errors``.
"""
