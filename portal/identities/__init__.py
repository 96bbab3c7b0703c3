"""Who a project and its agents are to endpoints that accept Microsoft Entra tokens, or the portal's own.

`roster` says which identity speaks, `tokens.access_token` gets a token for it, `audiences` says where it may be sent.
"""
