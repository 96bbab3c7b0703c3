"""The forms of projects, roles and invitations. Each names its fields; what else is posted is not looked at (T12)."""

from datetime import date, datetime, time, timedelta

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils import timezone

from portal.projects.access import Access, access_of
from portal.projects.founding import RESERVED_NAMES
from portal.projects.models import Project, project_name
from portal.projects.roles import NEW_NAMES, PERMISSIONS, Permission, Role
from portal.users import User

PORTAL, PROJECT = "portal", "project"
LONGEST = timedelta(days=3660)


class ProjectForm(forms.Form):
    name = forms.CharField(
        max_length=64,
        validators=[project_name],
        help_text="2 to 64 letters, digits, hyphens, underscores or dots. "
        "Part of the address that agents call; it can't be changed later.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    display_name = forms.CharField(label="Display name (optional)", max_length=120, required=False)
    description = forms.CharField(
        label="Description (optional)", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if name.casefold() in RESERVED_NAMES or Project.objects.filter(name__iexact=name).exists():
            raise ValidationError("This name is taken. Names that differ only in capital letters count as the same.")
        return name


class ProjectSettingsForm(forms.Form):
    display_name = forms.CharField(
        label="Display name (optional)", max_length=120, required=False, help_text="Shown beside the name. Any words."
    )
    description = forms.CharField(
        label="Description (optional)", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class LastDayField(forms.DateField):
    """A day, cleaned to the moment at which it ends in the reader's time zone; None when left empty."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def clean(self, value) -> datetime | None:
        day: date | None = super().clean(value)
        if day is None:
            return None
        today = timezone.localdate()
        if day < today:
            raise ValidationError("Choose today or a later day.")
        if day > today + LONGEST:
            raise ValidationError("Choose a day within the next ten years, or leave it empty for no end.")
        return timezone.make_aware(datetime.combine(day, time.max))


class RoleForm(forms.Form):
    """What adding a role and inviting share. Offers the roles that this person may give, here or on the portal."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    role = forms.ChoiceField()
    scope = forms.ChoiceField(widget=forms.RadioSelect, initial=PROJECT)
    until = LastDayField(
        label="Last day (optional)",
        required=False,
        help_text="The role counts until the end of this day. Leave it empty for no end.",
    )

    def __init__(self, access: Access, data=None) -> None:
        super().__init__(data)
        self.access = access
        scopes = scopes_of(access)
        roles = frozenset().union(*(inner.may_give() for inner in scopes.values()))
        self.fields["role"].choices = [(role.value, named(role)) for role in Role if role in roles]
        if len(scopes) > 1:
            self.fields["scope"].choices = [(key, words_of(inner)) for key, inner in scopes.items()]
        else:
            del self.fields["scope"]

    def clean_email(self) -> str:
        return self.cleaned_data["email"].strip().casefold()

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])

    @property
    def project(self) -> Project | None:
        """Where the role is to count; None is the whole portal."""
        return None if self.cleaned_data.get("scope") == PORTAL else self.access.project


class AssignmentForm(RoleForm):
    def clean_email(self) -> str:
        email = super().clean_email()
        self.person = User.objects.filter(email=email).first()
        if self.person is None:
            raise ValidationError("Nobody with this e-mail address is known here. Invite them instead.")
        return email


class InvitationForm(RoleForm):
    name = forms.CharField(label="Name (optional)", max_length=120, required=False)
    field_order = ("email", "name", "role", "scope", "until")


class AcceptForm(forms.Form):
    """A name and a password, checked by Django's validators; typed twice, for nothing else can correct it here."""

    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = forms.CharField(
        strip=False,
        max_length=256,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. A few words that only you would put together do well.",
    )
    password_again = forms.CharField(
        label="Password again",
        strip=False,
        max_length=256,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, email: str, data=None, **kwargs) -> None:
        super().__init__(data, **kwargs)
        self.email = email

    def clean(self) -> dict:
        cleaned = super().clean()
        password = cleaned.get("password")
        if password is None:
            return cleaned
        if "password_again" in cleaned and password != cleaned["password_again"]:
            self.add_error("password_again", "This is not the same password.")
        try:
            password_validation.validate_password(password, User(email=self.email, name=cleaned.get("name", "")))
        except ValidationError as error:
            self.add_error("password", error)
        return cleaned


def scopes_of(access: Access) -> dict[str, Access]:
    """Where this person gives roles from this page: the project, and the portal where a role lets them."""
    if access.project is None:
        return {PORTAL: access}
    on_portal = access_of(access.user, None)
    return {PROJECT: access} | ({PORTAL: on_portal} if on_portal.may_give() else {})


def words_of(access: Access) -> str:
    return f"Project {access.project.name}" if access.project else "The whole portal, with every project"


def named(role: Role) -> str:
    """The name that the A2A authentication page uses, with Foundry's newer one."""
    new = NEW_NAMES.get(role)
    return f"{role.label} ({new})" if new else role.label


def gains(role: Role) -> list[str]:
    """What the role permits, in words, in the order of the enum."""
    return [permission.label for permission in Permission if permission in PERMISSIONS[role]]
