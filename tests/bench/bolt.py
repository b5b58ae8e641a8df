"""Slack's own framework beside us: one INSERT before its ack, a pool of ten connections."""


def measure(world, options, flights):
    """None when it is not installed."""
    return None
