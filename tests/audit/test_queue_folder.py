"""The queue as a folder: no worker ever finds half a message."""

import json
from pathlib import Path

import pytest
from kombu.transport import filesystem

from portal import queue_folder
from portal.celery import app


@pytest.fixture
def channel(tmp_path):
    folders = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path), "control_folder": str(tmp_path / "c")}
    with app.connection_for_write("filesystem://localhost", transport_options=folders) as connection:
        yield connection.channel()


def test_the_portals_own_transport_is_used(channel):
    assert isinstance(channel, queue_folder.Channel)


def test_what_was_put_is_what_is_taken(channel):
    channel._put("probe", {"body": "grün"})
    assert channel._get("probe") == {"body": "grün"}


def test_a_worker_that_looks_while_a_message_is_written_finds_nothing_yet(channel, monkeypatch):
    looked = []
    write = Path.write_text

    def interrupted(path, text):
        write(path, text[:5])
        looked.append(_taken(channel))
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", interrupted)
    channel._put("probe", {"body": "whole"})
    assert looked == [None] and _taken(channel) == {"body": "whole"}


def test_kombus_own_is_still_not_fit_so_this_is_still_needed(channel, monkeypatch):
    """When this fails, the module can go."""
    write = filesystem.dumps

    def look_first(payload):
        with pytest.raises(json.JSONDecodeError):
            channel._get("probe")
        return write(payload)

    monkeypatch.setattr(filesystem, "dumps", look_first)
    filesystem.Channel._put(channel, "probe", {"body": "whole"})


def _taken(channel):
    try:
        return channel._get("probe")
    except filesystem.Empty:
        return None
