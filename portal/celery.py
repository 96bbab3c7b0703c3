"""The queue. Beat only wakes sweeps; due work is rows, so a broker that loses its content loses seconds."""

import logging.config
import os
from pathlib import Path

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init, worker_ready, worker_shutting_down

from portal import queue_folder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

logger = logging.getLogger(__name__)

queue_folder.use()
app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def make_queue_folders(sender: Celery, **_kwargs) -> None:
    """kombu's filesystem transport wants its folders to exist."""
    options = sender.conf.broker_transport_options or {}
    for name in ("data_folder_in", "data_folder_out", "control_folder"):
        if name in options:
            try:
                Path(options[name]).mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                logger.error("The queue's folder in GATEHOUSE_VAR can't be made: %s", error.strerror)


@setup_logging.connect
def log_like_everybody(loglevel: int | str | None = None, **_kwargs) -> None:
    """With a receiver here Celery adds no handlers of its own, whose lines would pass by the portal's formatters."""
    from django.conf import settings  # noqa: PLC0415 -- once the settings module is named

    logging.config.dictConfig(settings.LOGGING)
    if loglevel:
        logging.getLogger().setLevel(loglevel)


@worker_init.connect
@beat_init.connect
def verify_installation(**_kwargs) -> None:
    from portal import installation  # noqa: PLC0415 -- needs the app registry

    if unfit := installation.unfit():
        raise SystemExit(f"gatehouse: {unfit}")


@worker_ready.connect
def begin_pulse(sender, **_kwargs) -> None:
    """From here on the worker's row in `portal.heartbeats` says that it lives."""
    from portal.heartbeats import Pulse  # noqa: PLC0415 -- needs the app registry

    pulse = Pulse(sender.hostname)
    pulse.start()
    worker_shutting_down.connect(lambda **_: pulse.stop(), weak=False)
