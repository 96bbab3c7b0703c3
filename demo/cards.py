"""The agent cards of the demo's agents, in both dialects and both bindings."""

from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentProvider,
    AgentSkill,
    APIKeySecurityScheme,
    AuthorizationCodeOAuthFlow,
    OAuth2SecurityScheme,
    OAuthFlows,
    OpenIdConnectSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)

from demo.provider.settings import Addresses

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


def review_card(url: str, provider: Addresses, scopes: dict[str, str]) -> AgentCard:
    """The card of the agent at `url` that acts as an account of `provider`; `scopes` have a sentence each."""
    card = _card(url, "Review agent", "Reads and comments on your pull requests", REVIEW_SKILLS)
    flow = AuthorizationCodeOAuthFlow(
        authorization_url=provider.authorize,
        token_url=provider.token,
        refresh_url=provider.token,
        scopes=scopes,
        pkce_required=True,
    )
    scheme = OAuth2SecurityScheme(
        description="Acts as you at Octo",
        flows=OAuthFlows(authorization_code=flow),
        oauth2_metadata_url=provider.metadata,
    )
    card.security_schemes["octo"].CopyFrom(SecurityScheme(oauth2_security_scheme=scheme))
    card.security_requirements.append(SecurityRequirement(schemes={"octo": StringList(list=["reviews:read"])}))
    return card


def hr_card(url: str, discovery: str) -> AgentCard:
    """The card of the agent at `url` that takes tokens of the issuer whose discovery document is at `discovery`."""
    return _for_identities(_card(url, "HR agent", "Answers questions about holidays and hours", HR_SKILLS), discovery)


def payroll_card(url: str, discovery: str) -> AgentCard:
    """As `hr_card`."""
    return _for_identities(_card(url, "Payroll agent", "Answers questions about paydays", PAYROLL_SKILLS), discovery)


def _for_identities(card: AgentCard, discovery: str) -> AgentCard:
    scheme = OpenIdConnectSecurityScheme(
        description="Takes access tokens of agents and services, signed by this issuer", open_id_connect_url=discovery
    )
    card.security_schemes["identities"].CopyFrom(SecurityScheme(open_id_connect_security_scheme=scheme))
    card.security_requirements.append(SecurityRequirement(schemes={"identities": StringList()}))
    return card


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
REVIEW_SKILLS = (
    _skill("waiting_reviews", "Waiting reviews", "The pull requests that wait for you", "What waits for my review?"),
    _skill("comment", "Comment", "Comments on a pull request in your name", "Comment on octo/portal#12: looks good"),
)
HR_SKILLS = (
    _skill("holidays_left", "Holidays left", "How many days somebody has left", "How many holidays has Ben left?"),
    _skill("working_hours", "Working hours", "When the company works", "What are the working hours?"),
)
PAYROLL_SKILLS = (
    _skill("payday", "Payday", "When salaries are paid next", "When is the next payday?"),
    _skill("payroll_run", "Payroll of a month", "Date and sum of a month", "What was the payroll of October?"),
)
