"""RecordIO-protobuf, the tensor format of SageMaker's built-in algorithms, in both directions.

Imports ``errors`` and ``features``.
"""
