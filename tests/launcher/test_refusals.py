"""What `make run` refuses before it touches anything, in a sentence that says what to do."""

import pytest


def refusal(process):
    _, text = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "Traceback" not in text
    return text


def test_the_demo_keeps_away_from_a_database_that_was_named(launch, var):
    text = refusal(launch("run", DATABASE_URL="postgresql://app:s3cret-word@db.example.com/app"))
    assert "Unset DATABASE_URL" in text
    assert "s3cret-word" not in text
    assert not var.exists()


@pytest.mark.parametrize(
    "address", ["https://gatehouse.example.com", "http://10.0.0.7:8000", "http://0.0.0.0:8000", "nonsense"]
)
def test_the_demo_is_not_for_an_address_that_others_can_reach(launch, var, address):
    assert "Unset PUBLIC_URL" in refusal(launch("run", PUBLIC_URL=address))
    assert not var.exists()


def test_a_taken_port_is_named_with_a_way_out(launch, taken_port):
    text = refusal(launch("run", PORT=str(taken_port)))
    assert f"Port {taken_port} of 127.0.0.1 is taken" in text
    assert "make run PORT=" in text


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8000 ", "٨٠٠٠"])
def test_what_is_no_port_is_refused(launch, port):
    assert "is no port" in refusal(launch("run", PORT=port))


def test_an_unknown_command_says_which_there_are(launch):
    assert "run | test" in refusal(launch("walk"))


def test_a_command_that_is_not_there_is_named(launch):
    assert "There is no command no-such-thing" in refusal(launch("exec", "--", "no-such-thing"))
