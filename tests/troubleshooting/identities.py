"""Failures of identities and of Microsoft Entra on the way of a call: how each is really produced, by its code."""

import uuid
from functools import partial

import httpx
from django.utils import timezone

from demo.roles import Principal
from portal.identities import failures, roster, tokens
from portal.identities.models import Audience, Identity, IdentityToken, Proof
from tests.fakes.client_assertions import key_pair
from tests.fakes.entra import says
from tests.fakes.misbehaviour import Misbehaviour, drop, fails
from tests.gateway.conftest import new_line
from tests.gateway.test_five_methods import AGENT, PROJECT
from tests.identities.giving import AT, HR, SECRET, seal
from tests.troubleshooting.endpoints import Get, Produce, call


def through(method: str, identity: Identity) -> httpx.Response:
    """No token, no call: nobody has to listen at the endpoint."""
    return call(new_line(AT[0], identity.project, credential=None, auth_method=method, settings={"audience": HR}))


def entra_answers(fault: Misbehaviour, get: Get) -> httpx.Response:
    identity = get("agent")
    get("microsoft").next(fault, at="step 1")
    return through(AGENT, identity)


def blueprint_has(secrets: dict[str, bool], get: Get) -> httpx.Response:
    identity = get("agent")
    get("blueprint").secrets = secrets
    return through(AGENT, identity)


def proves_itself(proof: Proof, value: str, get: Get) -> httpx.Response:
    identity, source = get("agent"), get("source")
    source.proof_value = ""
    seal(source, proof, value)
    return through(AGENT, identity)


def with_an_expired_certificate(get: Get) -> httpx.Response:
    return proves_itself(Proof.CERTIFICATE, key_pair(days=-1).pem, get)


def with_an_unregistered_certificate(get: Get) -> httpx.Response:
    get("blueprint").certificates.append(key_pair().certificate)
    return proves_itself(Proof.CERTIFICATE, key_pair().pem, get)


def of_another_blueprint(get: Get) -> httpx.Response:
    identity = get("agent")
    get("blueprint").agents = {str(uuid.uuid4())}
    return through(AGENT, identity)


def of_an_unknown_tenant(get: Get) -> httpx.Response:
    source = get("source")
    source.tenant = str(uuid.uuid4())
    return proves_itself(Proof.CLIENT_SECRET, SECRET, get)


def for_an_unknown_audience(get: Get) -> httpx.Response:
    identity = get("agent")
    get("microsoft").audiences.remove(HR)
    return through(AGENT, identity)


def is_disabled(get: Get) -> httpx.Response:
    identity = get("agent")
    identity.disabled_at = timezone.now()
    identity.save()
    return through(AGENT, identity)


def is_not_set_up(get: Get) -> httpx.Response:
    return through(AGENT, roster.shared_by_agents(get("source").project))


def for_an_unlisted_audience(get: Get) -> httpx.Response:
    identity = get("agent")
    Audience.objects.all().delete()
    return through(AGENT, identity)


def waits_for_a_process_that_never_ends(get: Get) -> httpx.Response:
    """Another one holds the right to ask, and keeps it for longer than a call waits."""
    identity = get("agent")
    lease = {"lease_by": uuid.uuid4(), "lease_until": timezone.now() + timezone.timedelta(minutes=1)}
    IdentityToken.objects.create(identity=identity, audience=HR, **lease)
    get("monkeypatch").setattr(tokens, "WAIT_SECONDS", 0.2)
    return through(AGENT, identity)


# The project managed identity, by a host's managed identity


def host_answers(fault: Misbehaviour, get: Get) -> httpx.Response:
    get("host").always(fault)
    return through(PROJECT, get("managed")(get("host").assign()))


def is_not_the_hosts(get: Get) -> httpx.Response:
    return through(PROJECT, get("managed")(str(get("host") and uuid.uuid4())))


def is_not_allotted(get: Get) -> httpx.Response:
    return through(PROJECT, get("managed")("system"))


def lives_on_a_host_that_lets_nobody_choose(get: Get) -> httpx.Response:
    identity = get("managed")(str(uuid.uuid4()))
    get("monkeypatch").setenv("MSI_ENDPOINT", "http://localhost:9/")
    return through(PROJECT, identity)


# The endpoint, with the portal's own issuer


def lacks_a_role(get: Get) -> httpx.Response:
    line, endpoint = get("entra_line")(role="HR.Read")
    endpoint.role.assign(Principal("somebody-else"))
    return call(line)


def is_not_trusted(get: Get) -> httpx.Response:
    line, endpoint = get("entra_line")()
    listed = Audience.objects.get(name=HR)
    Audience.objects.create(name="api://another", origins=listed.origins)
    line.connection.settings["audience"] = "api://another"
    line.connection.save()
    return call(line)


NUMBERS = {code: number for number, code in failures.AADSTS.items()}
IDENTITIES: dict[str, Produce] = {
    # A number of the catalogue each; what the fake can refuse by itself stands below.
    **{code: partial(entra_answers, says(number)) for code, number in NUMBERS.items()},
    "entra_refused": partial(entra_answers, says(123456789)),
    "entra_unreachable": partial(entra_answers, drop()),
    "entra_answer_unreadable": partial(entra_answers, fails(200)),
    "entra_busy": partial(entra_answers, fails(503)),
    "entra_secret_invalid": partial(blueprint_has, {"another": False}),
    "entra_secret_expired": partial(blueprint_has, {SECRET: True}),
    "entra_certificate_refused": with_an_unregistered_certificate,
    "entra_application_unknown": of_another_blueprint,
    "entra_tenant_unknown": of_an_unknown_tenant,
    "entra_audience_unknown": for_an_unknown_audience,
    "blueprint_proof_missing": partial(proves_itself, Proof.CERTIFICATE, ""),
    "blueprint_certificate_unusable": partial(proves_itself, Proof.CERTIFICATE, "no PEM"),
    "blueprint_certificate_expired": with_an_expired_certificate,
    "no_token_file": partial(proves_itself, Proof.TOKEN_FILE, ""),
    "identity_disabled": is_disabled,
    "identity_not_set_up": is_not_set_up,
    "audience_not_listed": for_an_unlisted_audience,
    "identity_provider_unavailable": waits_for_a_process_that_never_ends,
    "host_identity_missing": is_not_allotted,
    "managed_identity_not_found": is_not_the_hosts,
    "managed_identity_refused": partial(host_answers, fails(403)),
    "managed_identity_unreadable": partial(host_answers, fails(302)),
    "managed_identity_busy": partial(host_answers, fails(410)),
    "managed_identity_unsupported": lives_on_a_host_that_lets_nobody_choose,
    "no_managed_identity": partial(host_answers, drop()),
    "entra_endpoint_403": lacks_a_role,
    "entra_token_refused": is_not_trusted,
}
