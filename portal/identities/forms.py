"""The forms of the identities' pages. A pasted secret or certificate is never filled in again."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from portal.audit.readable import readable
from portal.identities import audiences, proofs
from portal.identities.models import Audience, Identity, IdentitySource, Proof, Source
from portal.identities.setting_up import Blueprint
from portal.outbound.errors import OutboundError

DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
# What Entra reads as "whoever signs in", not as a tenant.
NO_TENANT = frozenset({"common", "organizations", "consumers"})
CODE = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", "data-code": True}
ID_TAKEN = "This client ID is in use on this portal already, and it can have one owner only. Enter another one."


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


class SourceForm(forms.Form):
    kind = forms.ChoiceField(
        choices=Source.choices, error_messages={"required": "Choose where the identities come from."}
    )


class BlueprintForm(forms.Form):
    use_required_attribute = False

    tenant = TenantField(
        label="Tenant",
        help_text="The directory in which the blueprint is: its ID or one of its domain names.",
        error_messages={"required": "Enter the tenant."},
    )
    blueprint = IdField(
        label="Client ID of the blueprint",
        help_text="Entra calls it application ID (appId).",
        error_messages={"required": "Enter the blueprint's client ID."},
    )
    proof = forms.ChoiceField(
        label="How the blueprint proves itself",
        widget=forms.RadioSelect,
        choices=Proof.choices,
        error_messages={"required": "Choose how the blueprint proves itself."},
    )
    secret = forms.CharField(
        label="Client secret",
        required=False,
        max_length=2000,
        strip=True,
        widget=forms.PasswordInput({"autocomplete": "off", "spellcheck": "false", "data-code": True}),
    )
    expires_on = forms.DateField(
        label="The client secret expires on",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="Optional. The list of identities warns 14 days before.",
    )
    certificate = forms.CharField(
        label="Certificate with its private key",
        required=False,
        max_length=proofs.LONGEST,
        help_text="In PEM, both blocks. Its end is read from it.",
    )
    host_identity = IdField(
        label="Client ID of the managed identity",
        required=False,
        help_text="A user-assigned managed identity of the machine that runs this portal.",
    )

    def __init__(self, *args, source: IdentitySource, may_use_host: bool, **kwargs) -> None:
        initial = {name: getattr(source, name) for name in ("tenant", "blueprint", "proof", "host_identity")}
        expires = source.proof_expires_on if source.proof == Proof.CLIENT_SECRET else None
        super().__init__(*args, initial={**initial, "expires_on": expires}, **kwargs)
        self.source, self.may_use_host = source, may_use_host
        # Rendered empty whatever was sent: a textarea would show it again.
        self.fields["certificate"].widget = NeverShown({"rows": 6, "spellcheck": "false", "class": "code"})

    def clean_proof(self) -> str:
        proof = Proof(self.cleaned_data["proof"])
        if proof.is_of_host and not self.may_use_host and proof != self.source.proof:
            raise ValidationError("Only the owner of this portal can choose what the portal's host is.")
        return proof

    def clean(self) -> None:
        proof = self.cleaned_data.get("proof")
        if proof == Proof.CLIENT_SECRET and self.cleaned_data.get("secret"):
            self._judge("secret", proofs.check_secret)
        if proof == Proof.CERTIFICATE and self.cleaned_data.get("certificate"):
            self.cleaned_data["certificate_ends"] = self._judge("certificate", proofs.check_certificate)
        if proof == Proof.MANAGED_IDENTITY and not self.errors and not self.cleaned_data.get("host_identity"):
            self.add_error("host_identity", "Enter the client ID. The host's own identity is never used for a project.")

    def _judge(self, name: str, check):
        try:
            return check(self.cleaned_data[name])
        except proofs.Unusable as problem:
            self.add_error(name, str(problem))

    @property
    def entered(self) -> Blueprint:
        found = self.cleaned_data
        proof = Proof(found["proof"])
        value = {Proof.CLIENT_SECRET: found["secret"], Proof.CERTIFICATE: found["certificate"]}.get(proof, "")
        ends = found["expires_on"] if proof == Proof.CLIENT_SECRET else None
        if proof == Proof.CERTIFICATE:
            ends = found.get("certificate_ends") or (
                self.source.proof_expires_on if self.source.proof == proof else None
            )
        return Blueprint(found["tenant"], found["blueprint"], proof, found["host_identity"], ends, value)


class NeverShown(forms.Textarea):
    """A textarea that comes back empty."""

    def format_value(self, value: Any) -> str:
        return ""


class IdsForm(forms.Form):
    """The ids of one identity that somebody made in Microsoft Entra."""

    use_required_attribute = False

    client_id = IdField(
        label="Client ID",
        help_text="Entra calls it application ID (appId). Tokens are asked for with it.",
        error_messages={"required": "Enter the client ID."},
    )
    principal_id = IdField(
        label="Principal ID",
        help_text="Entra calls it object ID (id). Roles are assigned to it.",
        error_messages={"required": "Enter the principal ID."},
    )


class PublishForm(IdsForm):
    """Both ids or none: an agent can be published before its identity is made, and then waits for it."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.required = False

    def clean(self) -> None:
        given = [name for name in self.fields if self.cleaned_data.get(name)]
        if len(given) == 1 and not self.errors:
            missing = next(name for name in self.fields if name not in given)
            self.add_error(missing, "Enter both IDs, or leave both empty and enter them later.")

    @property
    def has_ids(self) -> bool:
        return bool(self.cleaned_data.get("client_id"))


class AllotForm(IdsForm):
    field_order = ("proof", "tenant", "client_id", "principal_id")
    proof = forms.ChoiceField(
        label="How this host speaks for it",
        widget=forms.RadioSelect,
        choices=[choice for choice in Proof.choices if Proof(choice[0]).is_of_host],
        error_messages={"required": "Choose how this host speaks for it."},
    )
    tenant = TenantField(
        label="Tenant",
        help_text="The directory of the identity: its ID or one of its domain names.",
        error_messages={"required": "Enter the tenant."},
    )

    def __init__(self, *args, identity: Identity, proof: str, **kwargs) -> None:
        initial = {name: getattr(identity, name) for name in ("tenant", "client_id", "principal_id")}
        super().__init__(*args, initial={**initial, "proof": proof or Proof.MANAGED_IDENTITY}, **kwargs)
        self.fields["client_id"].help_text = "Of the user-assigned managed identity, or of the workload identity."


class CheckForm(forms.Form):
    audience = forms.ChoiceField(error_messages={"required": "Choose an audience."})

    def __init__(self, *args, listed: Sequence[Audience], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["audience"].choices = [(audience.name, audience.name) for audience in listed]


class OriginsField(forms.CharField):
    """One origin on each line, as `Audience.origins` spells them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=5000, widget=forms.Textarea({"rows": 4, **CODE, "class": "code"}), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        return list(dict.fromkeys(_origin(line) for line in lines))


def _origin(line: str) -> str:
    if "*" in line:
        raise ValidationError(
            "An origin with * would let a project send the organisation's tokens to hosts that nobody has looked at. "
            "List each origin by name."
        )
    try:
        return audiences.origin_of(line)
    except OutboundError as error:
        raise ValidationError(f"{readable(line)[:100]}: {error.sentence}") from None


class AudienceForm(forms.Form):
    use_required_attribute = False

    name = forms.CharField(
        label="Audience",
        max_length=300,
        widget=forms.TextInput(CODE),
        help_text="What the service behind the endpoint calls itself, such as api://contoso-hr or "
        "https://storage.azure.com. Not the endpoint's address. It can't be changed later.",
        error_messages={"required": "Enter the audience."},
    )
    description = forms.CharField(
        label="What it is", max_length=200, required=False, help_text="Optional. People read it when they choose one."
    )
    origins = OriginsField(
        label="Destination origins",
        help_text="One on each line, such as https://hr.contoso.example. Its tokens are sent nowhere else.",
        error_messages={"required": "Enter at least one origin."},
    )

    def __init__(self, *args, audience: Audience | None = None, **kwargs) -> None:
        now = {name: getattr(audience, name) for name in ("name", "description", "origins")} if audience else {}
        super().__init__(*args, initial=now, **kwargs)
        if audience:
            del self.fields["name"]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if name.endswith("/.default"):
            raise ValidationError("Leave out /.default: it is a scope's ending and is added by itself.")
        if not name.isascii() or not name.isprintable() or " " in name or "*" in name:
            raise ValidationError("An audience is one identifier without spaces or *, such as api://contoso-hr.")
        return name

    def clean_description(self) -> str:
        return readable(self.cleaned_data["description"])
