"""The paths of Neon's API that the plane serves, below ``/api/v2``; every other path answers 501."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from neon.local import views
from neon.local.views import endpoint

project = [
    path("", endpoint(GET=views.get_project, DELETE=views.delete_project)),
    path("/branches", endpoint(GET=views.list_branches)),
    path("/branches/<branch_id>", endpoint(GET=views.get_branch, DELETE=views.delete_branch)),
    path("/branches/<branch_id>/snapshot", endpoint(POST=views.create_snapshot)),
    path("/connection_uri", endpoint(GET=views.connection_uri)),
    path("/endpoints", endpoint(GET=views.list_endpoints)),
    path("/operations", endpoint(GET=views.list_operations)),
    path("/operations/<operation_id>", endpoint(GET=views.get_operation)),
    path("/snapshots", endpoint(GET=views.list_snapshots)),
    path("/snapshots/<snapshot_id>", endpoint(DELETE=views.delete_snapshot)),
    path("/snapshots/<snapshot_id>/restore", endpoint(POST=views.restore_snapshot)),
]

api: list[URLPattern | URLResolver] = [
    path("projects", endpoint(GET=views.list_projects, POST=views.create_project)),
    path("projects/<project_id>", include(project)),
    re_path("^", endpoint()),
]

urlpatterns = [path("api/v2/", include(api))]
