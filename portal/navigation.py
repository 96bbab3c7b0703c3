"""The frame around every page: sections, the left pane, the project picker. Shows only what this person may open."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from portal.projects.access import Access, access_of, projects_of
from portal.projects.roles import Permission


@dataclass(frozen=True)
class Page:
    """A place in the left pane. `route` takes the project's name unless `of_portal`."""

    section: str
    label: str
    icon: str
    route: str
    permission: Permission | None
    of_portal: bool = False
    also: tuple[str, ...] = ()


PORTAL_PAGES = [
    Page("Home", "Projects", "home", "home", None, of_portal=True, also=("project-create",)),
    Page("Home", "My consents", "person-key", "consents", None, of_portal=True),
    Page("Home", "Access log", "document-table", "portal-access-log", Permission.LOG_READ, of_portal=True),
    Page(
        "Home",
        "Access control",
        "people",
        "portal-access-control",
        Permission.ROLE_READ,
        of_portal=True,
        also=("portal-role", "portal-invitation", "portal-pe"),
    ),
    Page("Home", "Identities", "fingerprint", "portal-identities", Permission.AUDIENCE_WRITE, of_portal=True),
    Page(
        "Home",
        "Managed OAuth",
        "handshake",
        "publisher-apps",
        Permission.PUBLISHER_APP_WRITE,
        of_portal=True,
        also=("publisher-app",),
    ),
]
PAGES = [
    Page("Build", "Agents", "bot", "agents", Permission.AGENT_READ, also=("agent",)),
    Page("Build", "Tools", "wrench", "tools", Permission.CONNECTION_READ, also=("connection",)),
    Page("Build", "Identities", "fingerprint", "identities", Permission.AGENT_READ, also=("identity",)),
    Page("Operate", "Access log", "document-table", "access-log", Permission.LOG_READ),
    Page(
        "Operate",
        "Access control",
        "people",
        "access-control",
        Permission.ROLE_READ,
        also=("role", "invitation"),
    ),
    Page("Operate", "Project settings", "settings", "project-settings", Permission.PROJECT_READ),
]


def navigation(request: HttpRequest) -> dict:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"navigation": None}
    return {"navigation": Navigation(request, user)}


class Navigation:
    """Made per page, and asked only by pages that have the frame."""

    version = settings.VERSION

    def __init__(self, request: HttpRequest, user) -> None:
        self.user = user
        self.access: Access | None = getattr(request, "access", None)
        match = getattr(request, "resolver_match", None)
        self.route = (match.url_name or "") if match else ""

    @property
    def project(self):
        return self.access.project if self.access and self.access.assignments else None

    @property
    def projects(self) -> list[dict]:
        return [{"name": p.name, "url": reverse("project", args=[p.name])} for p in projects_of(self.user)[:50]]

    @property
    def may_create_project(self) -> bool:
        return access_of(self.user, None).allows(Permission.PROJECT_WRITE)

    @property
    def items(self) -> list[dict]:
        group = self.group
        if group == "Home":
            on_portal = access_of(self.user, None)
            return [self._item(page) for page in PORTAL_PAGES if self._may_open(page, on_portal)]
        return [item for item in self._project_items if item["section"] == group]

    @property
    def group(self) -> str:
        return next((item["section"] for item in self._project_items if item["current"]), "Home")

    @property
    def sections(self) -> list[dict]:
        group = self.group
        sections = [{"label": "Home", "url": reverse("home"), "current": group == "Home"}]
        for name in ("Build", "Operate"):
            first = next((item for item in self._project_items if item["section"] == name), None)
            if first:
                sections.append({"label": name, "url": first["url"], "current": group == name})
        return sections

    @property
    def _project_items(self) -> list[dict]:
        if self.project is None:
            return []
        return [self._item(page) for page in PAGES if self._may_open(page, self.access)]

    def _may_open(self, page: Page, access: Access) -> bool:
        if page.permission is not None and not access.allows(page.permission):
            return False
        try:
            self._url(page)
        except NoReverseMatch:
            return False
        return True

    def _url(self, page: Page) -> str:
        return reverse(page.route, args=[] if page.of_portal else [self.project.name])

    def _item(self, page: Page) -> dict:
        return {
            "section": page.section,
            "label": page.label,
            "icon": page.icon,
            "url": self._url(page),
            "current": self.route == page.route
            or self.route.startswith(tuple(f"{a}" for a in (page.route, *page.also))),
        }
