""" "Find settings": what the card, the endpoint and the authorization server say about themselves, for the form.

Everything that is read here is hostile (T16, T19, T24, T25). Nothing found is saved, and no credential goes along.
"""
