"""The evaluation of a large catalog's model, from S3 to the verdict."""
