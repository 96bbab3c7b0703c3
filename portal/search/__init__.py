"""The search in the banner: a request id leads to what happened, a code to its meaning, a name to its page.

Upper storeys add what they know: `found.register` takes a function of a person and the words they typed.
"""
