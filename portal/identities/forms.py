"""The forms of a project's identities. A pasted secret or certificate is never filled in again."""

from collections.abc import Sequence

from django import forms
from django.core.exceptions import ValidationError

from portal.identities import proofs
from portal.identities.fields import IdField, NeverShown, TenantField
from portal.identities.models import Audience, IdentitySource, Proof, Source
from portal.identities.setting_up import Blueprint

ID_TAKEN = "This client ID is in use on this portal already, and it can have one owner only. Enter another one."


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


class CheckForm(forms.Form):
    audience = forms.ChoiceField(error_messages={"required": "Choose an audience."})

    def __init__(self, *args, listed: Sequence[Audience], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["audience"].choices = [(audience.name, audience.name) for audience in listed]
