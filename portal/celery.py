"""The queue. Beat only wakes sweeps; due work is rows, so a broker that loses its content loses seconds."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import beat_init, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def make_queue_folders(sender: Celery, **_kwargs) -> None:
    """kombu's filesystem transport wants its folders to exist."""
    options = sender.conf.broker_transport_options or {}
    for name in ("data_folder_in", "data_folder_out", "control_folder"):
        if name in options:
            Path(options[name]).mkdir(mode=0o700, parents=True, exist_ok=True)


@worker_init.connect
@beat_init.connect
def verify_installation(**_kwargs) -> None:
    from portal import installation  # noqa: PLC0415 -- needs the app registry

    if unfit := installation.unfit():
        raise SystemExit(f"gatehouse: {unfit}")
