"""What a step of the state machine or a call of the API does, from the bucket and back.

The only package that puts the domain and ``aws`` together. Imports any other; only functions
import it.
"""
