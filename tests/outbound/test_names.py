import os
import socket
import threading
import time

import pytest

from portal.outbound import names, policy
from portal.outbound.errors import AddressBlocked, NameNotFound, NotReachable, OutboundError


@pytest.fixture
def hosts_file(monkeypatch, tmp_path):
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n10.20.0.7 Agent.Internal agent # the planner\n::1 six.internal\n")
    monkeypatch.setattr(names, "_HOSTS_FILE", path)


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """What the system's resolver was asked for; it answers with one public address."""
    questions = []

    def getaddrinfo(host, port, **options):
        questions.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))] * 2

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return questions


def test_the_trailing_dot_keeps_search_domains_out(asked, hosts_file):
    assert policy.resolve("agent.example", 443) == ["93.184.216.34"]
    assert asked == ["agent.example."]


def test_the_hosts_file_is_read_and_its_answers_are_checked(asked, hosts_file, settings):
    settings.ALLOWED_OUTBOUND_NETWORKS = ["10.20.0.0/16"]
    assert policy.resolve("agent.internal", 443) == ["10.20.0.7"]
    assert policy.resolve("agent", 443) == ["10.20.0.7"]
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    with pytest.raises(AddressBlocked):
        policy.resolve("agent.internal", 443)
    assert asked == []


def test_names_of_this_machine_are_never_asked_of_the_dns(asked, hosts_file):
    assert policy.resolve("localhost", 8000) == policy.resolve("a.localhost", 8000) == ["127.0.0.1"]
    assert asked == []


def test_an_odd_spelling_that_reaches_the_resolver_is_refused(asked, hosts_file):
    with pytest.raises(AddressBlocked):
        policy.resolve("127.1", 443)
    assert asked == []


def test_a_name_without_an_answer_is_not_found(monkeypatch):
    def getaddrinfo(host, port, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(NameNotFound):
        policy.resolve("no-such-host.invalid", 443)


def test_a_silent_name_server_holds_up_nobody(ask, monkeypatch):
    hold = threading.Event()
    monkeypatch.setattr(names, "ask", lambda host, port: hold.wait(5) and [])
    started = time.monotonic()
    with pytest.raises(OutboundError) as caught:
        ask("GET", "https://agent.example/", deadline=0.4)
    assert time.monotonic() - started < 0.9
    assert caught.value.code in {NotReachable.code, "timeout"}
    hold.set()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 says so where there are threads
def test_a_forked_process_gets_look_up_threads_of_its_own():
    """Celery's workers are forked, maybe after a look-up; the pool's threads stay in the parent."""
    policy.resolve("a.localhost", 443)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if policy.resolve("b.localhost", 443, timeout=2.0) == ["127.0.0.1"] else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
