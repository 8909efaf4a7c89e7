"""The run that serves: found, loaded once in a container, and asked.

Puts ``api``, ``model`` and ``aws`` together; the function behind the API and batch scoring
import it.
"""
