"""What the worker's tests stand on."""
