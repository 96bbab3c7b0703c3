"""Starts Gatehouse on one machine: embedded database, demo, tests. Production starts the Procfile instead."""
