"""The two kinds of machine, by the names of SageMaker's hyperparameter ``predictor_type``."""

BINARY_CLASSIFIER = "binary_classifier"
"""Predicts the probability of a like."""
REGRESSOR = "regressor"
"""Predicts a rating."""
PREDICTOR_TYPES = (BINARY_CLASSIFIER, REGRESSOR)
