"""Questions over HTTP: what may be asked, how it is answered, how a refusal is told.

Imports ``model``, ``dataset`` and what stands beside the packages; knows no AWS.
"""
