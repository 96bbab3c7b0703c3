"""The forms of the portal owner's lists."""

from django import forms
from django.core.exceptions import ValidationError

from portal.audit.readable import readable
from portal.identities.entra import EXCHANGE
from portal.identities.fields import CODE, OriginsField, TenantField
from portal.identities.forms import IdsForm
from portal.identities.issuer import issuer
from portal.identities.models import Audience, Identity, Proof


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
        if name in (EXCHANGE, issuer()):
            raise ValidationError("A token for this audience could get other tokens. It can't be listed.")
        return name

    def clean_description(self) -> str:
        return readable(self.cleaned_data["description"])
