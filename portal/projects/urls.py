from django.urls import path
from django.views.generic import RedirectView

from portal.projects import access_views, invitation_views, people_views, role_views, views
from portal.projects.access import public
from portal.projects.roles import Permission
from portal.projects.scope import PORTAL_PREFIX, in_both_scopes

READ, GIVE, REMOVE = Permission.ROLE_READ, Permission.ROLE_WRITE, Permission.ROLE_DELETE

_PERSON = f"{PORTAL_PREFIX}people/<uuid:person>/"

urlpatterns = [
    path("", views.home, name="home"),
    path("projects/", public(RedirectView.as_view(pattern_name="home")), name="projects"),
    path("projects/new/", views.create_project, name="project-create"),
    path("projects/<str:project>/", views.project, name="project"),
    path("projects/<str:project>/settings/", views.project_settings, name="project-settings"),
    *in_both_scopes("", access_views.role_assignments, "access-control", READ),
    *in_both_scopes("roles/", access_views.roles, "access-control-roles", READ),
    *in_both_scopes("add/", role_views.give_role, "role-give", GIVE),
    *in_both_scopes("assignments/<uuid:assignment>/remove/", role_views.remove_role, "role-remove", REMOVE),
    *in_both_scopes("invitations/", invitation_views.list_invitations, "invitations", READ),
    *in_both_scopes("invitations/new/", invitation_views.invite, "invitation-new", GIVE),
    *in_both_scopes("invitations/<uuid:invitation>/withdraw/", invitation_views.withdraw, "invitation-withdraw", GIVE),
    path(f"{PORTAL_PREFIX}people/", people_views.list_people, name="portal-people"),
    path(f"{_PERSON}deactivate/", people_views.deactivate_person, name="portal-person-deactivate"),
    path(f"{_PERSON}reactivate/", people_views.reactivate_person, name="portal-person-reactivate"),
    path("invitations/<str:token>/", invitation_views.open_invitation, name="invitation-open"),
]
