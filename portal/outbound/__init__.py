"""The only door to the network: one address policy, a synchronous and an asynchronous client over it.

`policy` says where a request may go, `session.fetch` and `client.Client` go there, `errors` says why not.
"""
