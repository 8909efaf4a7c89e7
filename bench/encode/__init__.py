"""The encoder: its writers beside their peers, files from disk to disk, and the whole function."""
