"""The solver ``als``: a ranking model, whose loss counts the pairs that nobody chose as well.

``fit`` makes the machine, ``search`` chooses its settings on pairs that it holds out. Below them
``solver`` sweeps over ``observed`` pairs by the loops of ``half_sweeps``.

Imports ``compiled``, ``errors``, ``fields``, ``fitted`` and ``hyperparameters``; no other solver.
"""
