"""The solver ``gibbs``: the posterior's mean answer, as one plain machine.

``fit`` looks whether the rows are ``pairs`` or just ``rows``, and runs the sampler that suits them;
likelihoods, hyperpriors, random draws and the final calibration serve both.

Imports ``compiled``, ``errors``, ``fields``, ``fitted`` and ``hyperparameters``; no other solver.
"""
