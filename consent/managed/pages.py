"""The portal owner's pages of publishers' apps: registered once, used by all projects, at the listed origins only."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from consent.managed import ending, listing
from consent.managed.forms import AppForm, NewAppForm, SecretForm
from consent.models import PublisherApp
from consent.publishers import PUBLISHERS, Publisher
from consent.terms import publishers_redirect_uri
from portal.projects.access import requires
from portal.projects.roles import Permission

owner_only = requires(Permission.PUBLISHER_APP_WRITE, on_portal=True)
WARNED_BEFORE = timedelta(days=14)


@dataclass(frozen=True)
class Row:
    """An app on the list; `uses` is how many connections have chosen it."""

    app: PublisherApp
    uses: int

    @property
    def lacks_secret(self) -> bool:
        return self.app.needs_secret and not self.app.client_secret

    @property
    def expires_soon(self) -> bool:
        end = self.app.secret_expires_on
        return end is not None and end <= timezone.localdate() + WARNED_BEFORE

    @property
    def has_expired(self) -> bool:
        return self.expires_soon and self.app.secret_expires_on < timezone.localdate()


@require_safe
@owner_only
def list_apps(request: HttpRequest) -> HttpResponse:
    apps = PublisherApp.objects.select_related("listed_by", "secret_set_by")
    rows = [Row(app, len(ending.connections_of(app.publisher))) for app in apps]
    rows.sort(key=lambda row: str(row.app).casefold())
    return render(request, "consent/managed/apps.html", {"rows": rows, "may_add": bool(_unlisted())})


def _unlisted() -> list[Publisher]:
    """Those of the catalogue that have no app here, by name."""
    listed = set(PublisherApp.objects.values_list("publisher", flat=True))
    return sorted((one for one in PUBLISHERS.values() if one.slug not in listed), key=lambda one: one.name.casefold())


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
@owner_only
def new_app(request: HttpRequest) -> HttpResponse:
    """First the publisher, then what it gave. The redirect URL is there before anything is entered."""
    record = PUBLISHERS.get(request.GET.get("publisher", ""))
    if record is None:
        return render(request, "consent/managed/catalogue.html", {"publishers": _unlisted()})
    form = NewAppForm(record, request.POST if request.method == "POST" else None)
    if form.is_valid():
        given = form.cleaned_data
        entered = {"secret": given.get("client_secret", ""), "expires_on": given.get("expires_on")}
        try:
            app = listing.enter(record.slug, by=request.user, **form.described, **entered)
        except listing.AlreadyListed:
            form.add_error(None, f"{record.name} has an app on this portal already. Edit it instead.")
        else:
            messages.success(request, f"The app of {app} is registered. Projects can use it at once.")
            return redirect("publisher-apps")
    form.ask_again()
    context = {"title": f"Register an app of {record.name}", "refusal": "The app was not saved.", "verb": "Register"}
    return _form(request, record, form, context)


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def edit_app(request: HttpRequest, publisher: str) -> HttpResponse:
    app = _find(publisher)
    if app.record is None:
        raise Http404
    form = AppForm(app.record, request.POST if request.method == "POST" else None, app=app)
    if form.is_valid():
        to_be = listing.proposed(app, **form.described)
        ends = ending.of(app, to_be)
        loses_secret = bool(app.client_secret) and not to_be.client_secret
        if (loses_secret or ends) and request.POST.get("confirmed") != "yes":
            return render(request, "consent/managed/ending.html", _question(app, form, ends, loses_secret))
        return _changed(request, listing.change(app, by=request.user, **form.described))
    return _form(request, app.record, form, {"app": app, "title": f"Edit the app of {app}", "verb": "Save"})


def _question(app: PublisherApp, form: AppForm, ends: ending.Ends, loses_secret: bool) -> dict:
    """The question carries what was entered."""
    kept = form.cleaned_data["origins"]
    entered = {name: value for name, value in form.cleaned_data.items() if name != "origins"}
    return {
        "app": app,
        "gone": [origin for origin in app.origins if origin not in kept],
        "consequences": ends.sentences,
        "loses_secret": loses_secret,
        "entered": entered | {"origins": "\n".join(kept)},
    }


def _changed(request: HttpRequest, app: PublisherApp) -> HttpResponse:
    if app.needs_secret and not app.client_secret:
        messages.warning(request, f"The app of {app} is changed and its secret cleared. Enter the new one.")
        return redirect("publisher-app-secret", app.publisher)
    messages.success(request, f"The app of {app} is changed. An origin that was taken off the list gets no token.")
    return redirect("publisher-apps")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
@owner_only
def replace_secret(request: HttpRequest, publisher: str) -> HttpResponse:
    app = _find(publisher)
    if not app.needs_secret:
        raise Http404
    form = SecretForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        given = form.cleaned_data
        listing.replace_secret(app, given["client_secret"], request.user, given["expires_on"], form.kept_for)
        messages.success(request, f"The secret of the app of {app} is replaced. The next sign-in and refresh use it.")
        return redirect("publisher-apps")
    form.ask_again()
    context = {"app": app, "form": form}
    return render(request, "consent/managed/secret.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def remove_app(request: HttpRequest, publisher: str) -> HttpResponse:
    app = _find(publisher)
    if request.method == "POST":
        listing.remove(app, request.user)
        messages.success(request, f"The app of {app} is removed. What was given through it has ended.")
        return redirect("publisher-apps")
    context = {
        "title": f"Remove the app of {app}?",
        "consequences": [
            *ending.of(app, None).sentences,
            f"The app itself stays registered at {app}. Its secret is destroyed here.",
        ],
        "action_label": "Remove",
        "appearance": "destructive",
        "cancel_url": reverse("publisher-apps"),
    }
    return render(request, "confirm.html", context)


def _find(publisher: str) -> PublisherApp:
    return get_object_or_404(PublisherApp.objects.select_related("listed_by", "secret_set_by"), publisher=publisher)


def _form(request: HttpRequest, record: Publisher, form: AppForm, more: dict) -> HttpResponse:
    context = {"record": record, "form": form, "redirect_url": publishers_redirect_uri(record.slug)}
    context |= {"refusal": "The app was not changed."} | more
    return render(request, "consent/managed/app.html", context, status=422 if form.is_bound else 200)
