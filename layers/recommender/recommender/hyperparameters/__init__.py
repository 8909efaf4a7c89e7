"""The hyperparameters of a training job: names, ranges, defaults, and what they mean.

The names stand in tables: ``shared`` for all solvers, then one module a solver. ``kinds`` tells
what a value may look like, ``settings`` is what a solver is given, ``parsing`` checks and fills it:
the image before it trains, and in part (``checking``) a run before there is a job.

Imports ``errors``, and no solver.
"""
