"""The only package that talks to AWS. Each adapter is an idempotent verb."""
