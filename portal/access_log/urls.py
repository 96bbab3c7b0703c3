from django.urls import path

from portal.access_log import views

urlpatterns = [
    path("projects/<str:project>/access-log/", views.access_log, name="access-log"),
    path("projects/<str:project>/access-log/<uuid:row>/", views.access_log_row, name="access-log-row"),
    path("access-log/", views.portal_access_log, name="portal-access-log"),
    path("access-log/<uuid:row>/", views.portal_access_log_row, name="portal-access-log-row"),
]
