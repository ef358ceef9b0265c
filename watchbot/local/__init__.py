"""`watchbot local`: the whole of it on one machine, without a cloud."""
