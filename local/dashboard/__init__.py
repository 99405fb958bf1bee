"""The dashboard on a laptop: a live page over the warehouse, and a file that needs nothing."""
