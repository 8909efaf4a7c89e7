"""How inner loops are compiled, and where the compiled code is kept.

Imports nothing of ours but ``recommender.features``, for its types of arrays.
"""
