"""AWS on this machine: the emulator and the local SageMaker started, the template deployed to them.

``repairs`` is a program of the emulator's own interpreter. Imports nothing else of ours: the local
SageMaker is started, not imported.
"""
