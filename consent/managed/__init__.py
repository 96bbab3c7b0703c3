"""Managed OAuth: publishers' apps that the portal's owner registers once, for the origins listed with each."""
