"""Scores of pair lists: where their files lie, what their job says, what is kept and told."""
