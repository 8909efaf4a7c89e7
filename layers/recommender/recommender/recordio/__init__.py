"""RecordIO-protobuf, the tensor format of SageMaker's built-in algorithms, in both directions.

One record, with its pad, is a multiple of four bytes::

    magic, body length, body, zero pad

The body holds a map of feature tensors and a map of label tensors; both maps have the one key
``values``. The framing escapes nothing, so a body may hold the magic number: only the chain of
lengths says where a record begins.

Imports ``errors`` and ``features``.
"""
