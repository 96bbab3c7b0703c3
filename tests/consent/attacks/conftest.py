import pytest

from tests.consent.attacks import stage as making_stage


@pytest.fixture
def stage(provider, project) -> making_stage.Stage:
    """An honest provider with required PKCE, a connection to it, and an agent that may use the connection."""
    return making_stage.build(provider(), project)


@pytest.fixture
def bens(browse, ben):
    """Ben's browser."""
    return browse(ben)


@pytest.fixture
def chloes(browse, chloe):
    return browse(chloe)
