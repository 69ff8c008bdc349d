"""The loops: free functions on arrays and numbers, compiled by numba; helpers stay in the same file (its cache knows no others)."""
