"""Users, people and projects as clients see them, in the version of the API that was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pk_upload.sandbox.patchwork.versions import of_version

if TYPE_CHECKING:
    from pk_upload.sandbox.patchwork.asked import Asked
    from pk_upload.sandbox.patchwork.records import Person, Project, User
    from pk_upload.sandbox.records import Json

__all__ = [
    "show_person",
    "show_project",
    "show_user",
    "small_person",
    "small_project",
    "small_user",
    "user_or_none",
]


def small_user(asked: Asked, user: User) -> dict[str, Json]:
    """A user, as part of something else."""
    return {
        "id": user.id,
        "url": asked.url(f"/users/{user.id}/"),
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
    }


def show_user(asked: Asked, user: User) -> dict[str, Json]:
    """A user, the settings for the user alone."""
    body = small_user(asked, user)
    if asked.user is not None and asked.user.id == user.id:
        body["settings"] = {
            "send_email": user.send_email,
            "items_per_page": user.items_per_page,
            "show_ids": user.show_ids,
        }
    return of_version("user", asked.version, body)


def small_person(asked: Asked, person_id: int) -> dict[str, Json]:
    """Somebody who sent a mail, as part of something else."""
    person = asked.person(person_id)
    return {
        "id": person.id,
        "url": asked.url(f"/people/{person.id}/"),
        "name": person.name,
        "email": person.email,
    }


def show_person(asked: Asked, person: Person) -> dict[str, Json]:
    """Somebody who sent a mail."""
    user = None if person.user is None else small_user(asked, asked.other_user(person.user))
    return small_person(asked, person.id) | {"user": user}


def user_or_none(asked: Asked, user_id: int | None) -> Json:
    """A user, as part of something that may have none."""
    return None if user_id is None else small_user(asked, asked.other_user(user_id))


def show_project(asked: Asked, project: Project) -> dict[str, Json]:
    """A project."""
    body: dict[str, Json] = {
        "id": project.id,
        "url": asked.url(f"/projects/{project.id}/"),
        "name": project.name,
        "link_name": project.link_name,
        "list_id": project.list_id,
        "list_email": project.list_email,
        "web_url": project.web_url,
        "scm_url": project.scm_url,
        "webscm_url": project.webscm_url,
        "maintainers": [small_user(asked, user) for user in asked.tables.people.maintainers()],
        "subject_match": project.subject_match,
        "list_archive_url": project.list_archive_url,
        "list_archive_url_format": project.list_archive_url_format,
        "commit_url_format": project.commit_url_format,
        "show_dependencies": project.show_dependencies,
    }
    return of_version("project", asked.version, body)


def small_project(asked: Asked, project_id: int) -> dict[str, Json]:
    """A project, as part of something else."""
    project = asked.project(project_id)
    body: dict[str, Json] = {
        "id": project.id,
        "url": asked.url(f"/projects/{project.id}/"),
        "name": project.name,
        "link_name": project.link_name,
        "list_id": project.list_id,
        "list_email": project.list_email,
        "web_url": project.web_url,
        "scm_url": project.scm_url,
        "webscm_url": project.webscm_url,
        "list_archive_url": project.list_archive_url,
        "list_archive_url_format": project.list_archive_url_format,
        "commit_url_format": project.commit_url_format,
    }
    return of_version("project", asked.version, body)
