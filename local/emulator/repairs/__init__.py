"""MiniStack with what it still lacks for us: ``python -m local.emulator.repairs``.

Run by the emulator's own interpreter, so it imports nothing but MiniStack, the standard library
and itself. Each repair has a test in ``tests/e2e`` that fails without it.
"""
