"""The playground: send a message as oneself, and see the answer and each step as they come, without any script."""

from collections.abc import AsyncIterator

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_POST

from connections import offering
from connections.gateway import app
from connections.models import Connection
from connections.pages.frame import around, find
from connections.playground.asking import Message
from connections.playground.session import Session
from portal.agents import playground as own_agent
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

# Where the rendered page is cut, and the answer comes in between.
HERE = "<!-- the answer -->"
LONGEST_MESSAGE = 8_000
# What stays in sight when the steps are folded; without any of it they stay open.
ANSWERS = {"text", "consent", "refused"}


class MessageForm(forms.Form):
    use_required_attribute = False

    text = forms.CharField(
        label="Message",
        max_length=LONGEST_MESSAGE,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        error_messages={"required": "Enter a message."},
    )
    task = forms.CharField(required=False, max_length=256, widget=forms.HiddenInput())
    context = forms.CharField(required=False, max_length=256, widget=forms.HiddenInput())


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.AGENT_INTERACT)
def playground(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    form = MessageForm(request.POST or None)
    if form.is_valid() and _is_given(found):
        return _streamed(request, found, Message(**form.cleaned_data))
    context = around(request, found, "playground") | {"form": form, "is_given": _is_given(found)}
    return render(request, "connections/playground.html", context, status=422 if form.is_bound else 200)


@require_POST
@requires(Permission.CONNECTION_WRITE)
def give(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    """The playground is an agent like any other: it uses what was given to it."""
    found = find(project, connection)
    offering.give(found, own_agent.ensure(project, request.user), request.user)
    return redirect("connection-playground", project.name, found.name)


def _is_given(connection: Connection) -> bool:
    agent = own_agent.of(connection.project)
    return agent is not None and (connection.given_to_all or connection.given.filter(agent=agent).exists())


def _streamed(request: HttpRequest, connection: Connection, message: Message) -> HttpResponse:
    key = own_agent.key_of(own_agent.of(connection.project))
    context = around(request, connection, "playground") | {"message": message, "here": HERE}
    before, after = render_to_string("connections/playground_answer.html", context, request).split(HERE)
    session = Session(app.serving[-1], connection, key, request.user, message)
    # Its form comes last, when it is known how the conversation goes on, and then nothing may ask the database.
    again = {"csrf_token": get_token(request), "form": MessageForm(auto_id="again_%s"), "answered": False}
    answer = StreamingHttpResponse(_page(before, session, after, again))
    answer["X-Accel-Buffering"] = "no"
    return answer


async def _page(before: str, session: Session, after: str, again: dict) -> AsyncIterator[str]:
    yield before
    async for line in session.lines():
        again["answered"] |= line.kind in ANSWERS and not line.is_progress
        if line.kind == "end":
            again["form"].initial = {"task": line.task, "context": line.context}
        yield render_to_string("connections/parts/playground_line.html", {"line": line, **again})
    yield after
