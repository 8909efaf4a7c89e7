"""SageMaker's factorization-machines contract, implemented in the open."""
