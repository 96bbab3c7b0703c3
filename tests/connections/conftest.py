import pytest

from tests.outbound.authority import Authority


@pytest.fixture
def authority(tmp_path, settings) -> Authority:
    """Signs certificates that the portal then trusts."""
    made = Authority(tmp_path)
    settings.OUTBOUND_CA_FILE = made.file
    return made
