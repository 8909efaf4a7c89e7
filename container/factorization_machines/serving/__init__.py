"""The trained model behind HTTP: ``/ping``, ``/invocations`` and ``/execution-parameters``.

Imports ``process``; knows no solver.
"""
