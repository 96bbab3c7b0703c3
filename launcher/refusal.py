"""A start that cannot go on, said in a sentence for the terminal."""


class Refusal(Exception):
    """Its text says what happened, why, and what to do; the command ends with exit code 2."""
