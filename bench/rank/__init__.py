"""Lists beside implicit's ALS, EASE and popularity: quality, time and memory in one run."""
