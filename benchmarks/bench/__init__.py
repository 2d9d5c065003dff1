"""`make bench`: sketch-infer against its peers, interleaved on one machine, each in a process of its own.

The modules, in the order of the data: `workloads` (what is asked), `candidates` (who is asked), `engines`, `peers` and
`worker` (one candidate in its process), `pool` (the parent's end of the pipe), `measure` and `judge` (rounds, and a
check of every answer), `cold` (whole processes), `results` (medians, ratios, targets), `report`, `pieces` (runs of one
kind of workload, put together) and `chart`.
"""
