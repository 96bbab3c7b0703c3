"""Whether an agent may say for which user it calls: an owner allows it, changes it, withdraws it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.agents import pages, speaking
from portal.agents.forms import SpeakingForm
from portal.agents.models import Agent
from portal.agents.permission import agent_of
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.SPEAKING_WRITE)
def let_speak(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    found = agent_of(project, agent)
    form = SpeakingForm(request.POST or None, project=project, initial=_as_allowed_now(found))
    if form.is_valid():
        speaking.allow(found, request.user, people=form.chosen, until=form.until_end)
        messages.success(request, f"{found.name} may speak for {_whom(form.chosen)}.")
        return redirect("agent", project.name, found.name)
    context = {"project": project, "agent": found, "form": form, "permission": pages.speaking_of(found)}
    return render(request, "agents/speaking.html", context, status=422 if form.is_bound else 200)


def _as_allowed_now(agent: Agent) -> dict:
    permission = pages.speaking_of(agent)
    if permission is None:
        return {}
    return {
        "whom": SpeakingForm.EVERYONE if permission.everyone else SpeakingForm.NAMED,
        "people": list(permission.people.values_list("pk", flat=True)),
        "until": timezone.localtime(permission.until).date() if permission.until else None,
    }


def _whom(people: list | None) -> str:
    if people is None:
        return "everyone in the project"
    return str(people[0]) if len(people) == 1 else f"{len(people)} people"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.SPEAKING_WRITE)
def withdraw(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    found = agent_of(project, agent)
    if request.method == "POST":
        speaking.withdraw(found, request.user)
        messages.success(request, f"{found.name} may no longer speak for users.")
        return redirect("agent", project.name, found.name)
    context = {
        "title": f"Withdraw the permission of {found.name} to speak for users?",
        "consequences": [
            f"The next call in which {found.name} names a user is refused. Calls that name nobody go on.",
            "You can allow it again at any time.",
        ],
        "action_label": "Withdraw",
        "appearance": "destructive",
        "cancel_url": reverse("agent", args=[project.name, found.name]),
    }
    return render(request, "confirm.html", context)
