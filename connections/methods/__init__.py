"""The authentication methods: `methods()` is the registry that settings.AUTH_METHODS lists."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from connections.methods.base import AuthMethod, Registry


def methods() -> Registry:
    return _registry(tuple(settings.AUTH_METHODS))


def method_of(connection) -> AuthMethod:
    return methods()[connection.auth_method]


@cache
def _registry(paths: tuple[str, ...]) -> Registry:
    found = [import_string(path)() for path in paths]
    return Registry({method.slug: method for method in found})
