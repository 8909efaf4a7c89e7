"""The steps of the second state machine: pair lists are scored by the run that serves."""
