"""Random histories of the watcher, and the laws that hold in each of them.

`python -m tests.simulation.watcher --seeds 10000` plays many, on all cores.
"""
