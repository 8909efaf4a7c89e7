"""The image's server under load: one pair at a time, and full RecordIO bodies."""
