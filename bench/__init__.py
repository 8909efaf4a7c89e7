"""Benchmarks: one file each, against a peer in the same run."""
