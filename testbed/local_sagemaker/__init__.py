"""The local SageMaker as tests drive it: started as a process, asked by boto3 over HTTP."""
