"""What is trained on: ids to numbers, repeated ratings resolved, train and test kept apart.

Imports ``catalog``, ``ratings``, ``recordio`` and what stands beside the packages.
"""
