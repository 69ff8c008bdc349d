"""A hospital's day replayed at speed: what its modalities ask, send and want to be sure of, while somebody reads."""
