"""The public programming face of voxcast for other programs: `voxcast.client`. The server itself is the package `engine`."""
