"""A training job: channels in, log lines and a model out, as SageMaker's contract asks.

Imports every solver through ``solve``, and ``process``.
"""
