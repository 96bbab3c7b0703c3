"""The agent cards of the demo's two agents, in both dialects and both bindings."""

from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentProvider,
    AgentSkill,
    APIKeySecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)

# The first is the one a client prefers; a 0.3 entry makes the SDK write the 0.3 fields into the same card.
SPELLINGS = (("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3"))


def ledger_card(url: str, key_header: str) -> AgentCard:
    """The card of the agent at `url` that asks for an API key in `key_header`."""
    card = _card(url, "Ledger agent", "Answers questions about invoices and bookings", LEDGER_SKILLS)
    scheme = APIKeySecurityScheme(location="header", name=key_header, description="The ledger's access key")
    card.security_schemes["ledgerKey"].CopyFrom(SecurityScheme(api_key_security_scheme=scheme))
    card.security_requirements.append(SecurityRequirement(schemes={"ledgerKey": StringList()}))
    return card


def weather_card(url: str) -> AgentCard:
    """The card of the agent at `url` that asks for nothing."""
    return _card(url, "Weather", "Says what the weather will be tomorrow", WEATHER_SKILLS)


def _card(url: str, name: str, description: str, skills: tuple[AgentSkill, ...]) -> AgentCard:
    return AgentCard(
        name=name,
        description=description,
        version="1.0.0",
        provider=AgentProvider(organization="Gatehouse demo", url=url),
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
            for binding, version in SPELLINGS
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=skills,
    )


def _skill(name: str, title: str, description: str, example: str) -> AgentSkill:
    return AgentSkill(id=name, name=title, description=description, tags=["demo"], examples=[example])


LEDGER_SKILLS = (
    _skill("find_invoice", "Find an invoice", "Amount and due date of an invoice", "When is invoice 4711 due?"),
    _skill("explain_booking", "Explain a booking", "The account of an invoice", "How is invoice 4712 booked?"),
    _skill("monthly_close", "Monthly close", "What is still open this month", "What is open before the close?"),
)
WEATHER_SKILLS = (_skill("forecast", "Forecast", "Tomorrow's weather in a place", "What is the weather in Stockholm?"),)
