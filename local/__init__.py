"""The laptop's side of AWS: emulator, SageMaker, demo. Nothing deployed imports it."""
