"""The real services in a world of which time, chance and every fault come from a seed."""
