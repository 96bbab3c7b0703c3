"""Sends one message to a connection as the person who is signed in, by the same way that every agent's call goes.

The gateway is called inside this process with the key of the portal's own agent, so what is seen here is what an agent
would get: the same checks, the same rows in the log, the same answer. `session.Session` is that way.
"""
