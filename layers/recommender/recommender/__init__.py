"""Matinee's domain: ratings to tensors, factorization machines, ranking, evaluation, requests."""
