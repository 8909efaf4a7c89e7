"""SageMaker on a laptop: its API over loopback HTTP, its jobs and endpoints as real processes.

Training jobs, endpoints and transform jobs run the programs of ``container/`` on an
``/opt/ml``-shaped folder each. Callers keep their boto3 code; only ``AWS_ENDPOINT_URL_SAGEMAKER``
and ``AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`` point here. Nothing survives the server: the state
folder is the machines' disk (logs, job folders), not a database.
"""
