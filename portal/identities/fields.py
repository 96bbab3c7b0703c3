"""The fields of the identities' forms: ids, tenants, origins, and a text that is never shown again."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal.audit.readable import readable
from portal.identities import audiences, proofs
from portal.outbound.errors import OutboundError

DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
# What Entra reads as "whoever signs in", not as a tenant.
NO_TENANT = frozenset({"common", "organizations", "consumers"})
CODE = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", "data-code": True}


class IdField(forms.CharField):
    """A GUID, in one spelling."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=60, widget=forms.TextInput(CODE), **options)

    def clean(self, value: Any) -> str:
        found = super().clean(value).strip("{}").lower()
        if found and not proofs.GUID.fullmatch(found):
            raise ValidationError("This is not an ID. It looks like 00001111-aaaa-2222-bbbb-3333cccc4444.")
        return found


class TenantField(IdField):
    """A GUID, or one of the tenant's domain names."""

    def clean(self, value: Any) -> str:
        found = forms.CharField.clean(self, value).strip("{}").lower()
        if found in NO_TENANT:
            raise ValidationError(f"{found} stands for no tenant. Enter the tenant's ID or one of its domain names.")
        if found and not proofs.GUID.fullmatch(found) and not DOMAIN.fullmatch(found):
            raise ValidationError("Enter the tenant's ID, or a domain name such as contoso.onmicrosoft.com.")
        return found


class OriginsField(forms.CharField):
    """One origin on each line, as `Audience.origins` spells them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=5000, widget=forms.Textarea({"rows": 4, **CODE, "class": "code"}), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        return list(dict.fromkeys(_origins(lines)))


def _origins(lines: list[str]) -> list[str]:
    """Raises ValidationError with all that is wrong, a sentence for each line."""
    found, wrong = [], []
    for line in lines:
        try:
            found.append(_origin(line))
        except ValidationError as error:
            wrong.append(error)
    if wrong:
        raise ValidationError(wrong)
    return found


def _origin(line: str) -> str:
    if "*" in line:
        raise ValidationError(
            f"{readable(line)[:100]}: An origin with * would let a project send the organisation's tokens to hosts "
            "that nobody has looked at. List each origin by name."
        )
    try:
        return audiences.origin_of(line)
    except OutboundError as error:
        raise ValidationError(f"{readable(line)[:100]}: {error.sentence}") from None


class NeverShown(forms.Textarea):
    """A textarea that comes back empty."""

    def format_value(self, value: Any) -> str:
        return ""
