"""`python -m benchmarks.search`: the time of a search, the rate of a build, and what is found of planted faults."""
