"""The pages of the connections, a module for each task."""
