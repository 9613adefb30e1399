"""The blog's accounts and posts with FastAPI: a peer of the benchmark."""
