"""Does the queue's broker answer? Asked apart from Celery's own connections, which try again and again."""

import os

from portal.celery import app

CONNECT_SECONDS = 2


def answers() -> bool:
    """Whether the broker takes a connection and speaks. May hang as long as the broker does."""
    try:
        # Reading the settings for the first time makes the folders of a queue that is one.
        folder = (app.conf.broker_transport_options or {}).get("data_folder_out")
    except OSError:
        return False
    if folder:
        return os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    with app.connection_for_write() as broker:
        broker.connect_timeout = CONNECT_SECONDS
        try:
            broker.connect()
            broker.channel().close()
        except Exception:  # noqa: BLE001 -- each transport has errors of its own, and their texts hold addresses
            return False
    return True
