"""What each step of the state machine does, from the bucket and back.

Puts the domain and ``aws`` together. Imports any other package; only functions import it.
"""
