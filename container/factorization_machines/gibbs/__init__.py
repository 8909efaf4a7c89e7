"""The solver ``gibbs``: the posterior's mean answer, as one plain machine.

Imports ``compiled`` and what stands beside the packages.
"""
