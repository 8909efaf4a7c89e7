"""SageMaker's factorization-machines contract, implemented in the open.

``python -m factorization_machines train`` runs a job (``job``), ``serve`` answers requests
(``serving``), ``python -m factorization_machines.warm_up`` compiles all that jobs use. A job fits
with ``solve``, which knows the solvers, ``adam``, ``als`` and ``gibbs``, a package each; none knows
another.

Imports ``recommender``'s numbers and formats, nothing of the pipeline.
"""
