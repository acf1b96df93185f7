"""Lists of the admin that stay quick however much there is: paged through so far, and searched where an index helps."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import ClassVar, TypeVar
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import F, Model, OrderBy, Q, QuerySet
from django.http import HttpRequest

from checkpoints.models import Project
from checkpoints.models.ids import begin_with

T = TypeVar("T", bound=Model)

# To count a large table takes long, and so does a page far down: what is not among these is found by a search.
LISTED = 1000
# Of those whose name begins so: whoever finds none of theirs types one more letter.
USERS = 10


class LongListPaginator(Paginator[T]):
    """Pages through the first rows alone."""

    object_list: QuerySet[T]

    @cached_property
    def count(self) -> int:
        """Return how many rows there are to page through."""
        return self.object_list.order_by()[:LISTED].count()


class LongListAdmin(admin.ModelAdmin[T]):
    """Lists so many rows, and finds those that an index leads to."""

    paginator = LongListPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by: ClassVar[tuple[str, ...]] = ("created_at",)
    list_per_page = 25
    search_fields = ("pk",)  # so that there is a field to search in; what is searched, matching() says

    # Found by their keys, not in a join, for which all of the table that they are in might be read.
    list_select_related = ()
    refers_to: ClassVar[Sequence[str]] = ()
    # By the index of that order Postgres might read all rows until it had found enough of the few that match.
    order_of_found: ClassVar[Sequence[str | OrderBy]] = ((F("created_at") + timedelta()).desc(),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[T]:
        """Return the rows with what they refer to."""
        return super().get_queryset(request).prefetch_related(*self.refers_to)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[T], search_term: str
    ) -> tuple[QuerySet[T], bool]:
        """Return the rows that match, each of them once."""
        term = search_term.strip()
        if term:
            queryset = queryset.filter(self.matching(term)).order_by(*self.order_of_found)
        return queryset, False

    def matching(self, term: str) -> Q:
        """Return what is searched for."""
        raise NotImplementedError


def users(beginning: str) -> list[int]:
    """Return the ids of users whose email address or name begins so."""
    addresses = EmailAddress.objects.filter(email__startswith=beginning.lower()).values_list("user", flat=True)
    names = User.objects.filter(username__startswith=beginning).values_list("pk", flat=True)
    return [*addresses[:USERS], *names[:USERS]]


def projects(term: str) -> list[UUID]:
    """Return the ids of the projects with this id, this id in Neon, or one of these owners."""
    found = begin_with([term]) | Q(neon_project_id=term) | Q(owner__in=users(term))
    return list(Project.objects.filter(found).values_list("pk", flat=True)[:LISTED])
