"""A training job: channels in, log lines and a model out, as SageMaker's contract asks.

Imports ``solve``, ``process``, ``hyperparameters``, ``fitted`` and ``errors``; no solver itself.
"""
