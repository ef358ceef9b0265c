"""Random histories of the scheduler, and the laws that hold in each of them.

`python -m tests.simulation.schedule --seeds 10000` plays many, on all cores.
"""
