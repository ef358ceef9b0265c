"""What the web pages of all services share: who may see them, how they look, what they may load."""
