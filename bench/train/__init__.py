"""Training beside myFM and torch: quality, time and memory; and the choice of its settings."""
