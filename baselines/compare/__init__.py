"""Comparisons: a list of jobs that never changes, a process and a log for each, and what they say taken together."""
