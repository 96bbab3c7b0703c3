"""The queue as a folder: kombu's filesystem transport, with messages that are there whole or not at all.

kombu opens a message under its final name and writes it afterwards. A worker that looks in between takes an empty file,
and ends with an error that it calls unrecoverable.
"""

from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_options: Any) -> None:
        name = f"{round(monotonic() * 1000)}_{uuid4()}.{queue}.msg"
        # A reader takes what ends in .<queue>.msg after the first dot, and so not this name.
        unfinished = Path(self.data_folder_out) / f".{name}"
        unfinished.write_text(dumps(payload))
        unfinished.rename(unfinished.with_name(name))


class Transport(filesystem.Transport):
    Channel = Channel


def use() -> None:
    """Whatever names the transport `filesystem` gets this one."""
    TRANSPORT_ALIASES["filesystem"] = "portal.queue_folder:Transport"
