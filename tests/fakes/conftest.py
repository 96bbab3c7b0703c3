from tests.fakes.fixtures import fake_agent, hostile, raw_endpoint

__all__ = ["fake_agent", "hostile", "raw_endpoint"]
