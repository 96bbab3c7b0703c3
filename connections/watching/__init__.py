"""Scheduled probes: every connection is tested again and again, with its own method and credential.

Due work is a row (`connections.models.Watch`); `plan` says when, `rounds` does it, `noting` keeps what was found,
`logged` what the access log holds of it, `telling` who hears of it. A probe never switches a connection off.
"""
