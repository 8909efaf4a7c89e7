"""AWS, a service a module: the only package that imports boto3. Each adapter is an idempotent verb.

Imports ``pipeline`` and what stands beside the packages.
"""
