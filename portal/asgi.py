"""The one entry: `/a2a/` and the lifespan go to the gateway, `/static/` to Starlette, the rest to Django."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django_application = get_asgi_application()

from django.conf import settings  # noqa: E402 -- after the apps are loaded
from django.urls import get_resolver  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402
from starlette.staticfiles import StaticFiles  # noqa: E402

# Every page's module now, and not with the first request: that may be a probe which has three seconds.
get_resolver().url_patterns  # noqa: B018 -- looking is loading
gateway = import_string("connections.gateway.app.Gateway")()
static = StaticFiles(directory=settings.BASE_DIR / "static")


async def application(scope, receive, send) -> None:
    path = scope.get("path", "")
    if scope["type"] == "lifespan" or path.startswith("/a2a/"):
        await gateway(scope, receive, send)
    elif path.startswith(settings.STATIC_URL) and scope["type"] == "http":
        await static({**scope, "path": path.removeprefix("/static"), "root_path": ""}, receive, send)
    elif scope["type"] == "http":
        await django_application(scope, receive, send)
