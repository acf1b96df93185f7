"""The paths of Neon's API that the plane serves, below ``/api/v2``; every other path answers 501."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from neon.local.views import account, branches, databases, endpoints, projects, snapshots
from neon.local.wire import endpoint

branch = [
    path(
        "",
        endpoint(GET=branches.get_branch, PATCH=branches.update_branch, DELETE=branches.delete_branch),
    ),
    path("/backup_schedule", endpoint(GET=branches.backup_schedule)),
    path("/compare_schema", endpoint(GET=branches.compare_schema)),
    path("/databases", endpoint(GET=databases.list_databases, POST=databases.create_database)),
    path(
        "/databases/<database_name>",
        endpoint(GET=databases.get_database, PATCH=databases.update_database, DELETE=databases.delete_database),
    ),
    path("/endpoints", endpoint(GET=endpoints.list_endpoints)),
    path("/finalize_restore", endpoint(POST=snapshots.finalize_restore)),
    path("/restore", endpoint(POST=branches.restore_branch)),
    path("/roles", endpoint(GET=databases.list_roles, POST=databases.create_role)),
    path("/roles/<role_name>", endpoint(GET=databases.get_role, DELETE=databases.delete_role)),
    path("/roles/<role_name>/reset_password", endpoint(POST=databases.reset_password)),
    path("/roles/<role_name>/reveal_password", endpoint(GET=databases.reveal_password)),
    path("/schema", endpoint(GET=branches.schema)),
    path("/set_as_default", endpoint(POST=branches.set_as_default)),
    path("/snapshot", endpoint(POST=snapshots.create_snapshot)),
]

project: list[URLPattern | URLResolver] = [
    path(
        "",
        endpoint(GET=projects.get_project, PATCH=projects.update_project, DELETE=projects.delete_project),
    ),
    path("/branches", endpoint(GET=branches.list_branches, POST=branches.create_branch)),
    path("/branches/count", endpoint(GET=branches.count_branches)),
    path("/branches/<branch_id>", include(branch)),
    path("/connection_uri", endpoint(GET=projects.connection_uri)),
    path("/endpoints", endpoint(GET=endpoints.list_endpoints, POST=endpoints.create_endpoint)),
    path("/endpoints/<endpoint_id>", endpoint(GET=endpoints.get_endpoint, DELETE=endpoints.delete_endpoint)),
    path("/endpoints/<endpoint_id>/restart", endpoint(POST=endpoints.restart_endpoint)),
    path("/endpoints/<endpoint_id>/start", endpoint(POST=endpoints.start_endpoint)),
    path("/endpoints/<endpoint_id>/suspend", endpoint(POST=endpoints.suspend_endpoint)),
    path("/operations", endpoint(GET=endpoints.list_operations)),
    path("/operations/<operation_id>", endpoint(GET=endpoints.get_operation)),
    path("/recover", endpoint(POST=projects.recover_project)),
    path("/snapshots", endpoint(GET=snapshots.list_snapshots)),
    path(
        "/snapshots/<snapshot_id>",
        endpoint(PATCH=snapshots.update_snapshot, DELETE=snapshots.delete_snapshot),
    ),
    path("/snapshots/<snapshot_id>/restore", endpoint(POST=snapshots.restore_snapshot)),
]

api: list[URLPattern | URLResolver] = [
    path("projects", endpoint(GET=projects.list_projects, POST=projects.create_project)),
    path("projects/shared", endpoint(GET=projects.list_shared)),
    path("projects/<project_id>", include(project)),
    path("regions", endpoint(GET=account.list_regions)),
    path("users/me", endpoint(GET=account.get_user)),
    path("users/me/organizations", endpoint(GET=account.list_organizations)),
    re_path("^", endpoint()),
]

urlpatterns = [path("api/v2/", include(api))]
