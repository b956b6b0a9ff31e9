"""What Wagtail's and Django's migrations would have put into the database."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site as DjangoSite
from django.db import connection

_PAGE_PERMISSIONS = {
    "Moderators": ("add_page", "change_page", "publish_page", "lock_page", "unlock_page"),
    "Editors": ("add_page", "change_page"),
}
_COLLECTION_PERMISSIONS = (
    ("wagtailimages", "add_image"),
    ("wagtailimages", "change_image"),
    ("wagtailimages", "choose_image"),
    ("wagtaildocs", "add_document"),
    ("wagtaildocs", "change_document"),
    ("wagtaildocs", "choose_document"),
)
#: Makes the groups of those who work with triggers.
_GROUPS_MIGRATION = "wagtail_triggers.migrations.0008_groups_of_people"


def lay() -> None:
    """Make sites, locales, the page tree, the root collection and editors' groups; repeatable.

    A schema built without migrations lacks these rows, and Wagtail's admin needs each of them.
    """
    DjangoSite.objects.update_or_create(
        pk=settings.SITE_ID,
        defaults={
            "domain": settings.SITE_URL.partition("://")[2],
            "name": settings.OSCAR_SHOP_NAME,
        },
    )
    DjangoSite.objects.clear_cache()
    if settings.WITH_WAGTAIL:
        _lay_wagtail()


def _lay_wagtail() -> None:
    from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission, Locale

    for code, _ in settings.LANGUAGES:
        Locale.objects.get_or_create(language_code=code)
    root = _root_page()
    collection = Collection.objects.filter(depth=1).first() or Collection.add_root(name="Root")
    access = _admin_access()
    for name, codenames in _PAGE_PERMISSIONS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(access)
        for permission in Permission.objects.filter(
            content_type__app_label="wagtailcore", codename__in=codenames
        ):
            GroupPagePermission.objects.get_or_create(group=group, page=root, permission=permission)
        for app_label, codename in _COLLECTION_PERMISSIONS:
            for permission in Permission.objects.filter(
                content_type__app_label=app_label, codename=codename
            ):
                GroupCollectionPermission.objects.get_or_create(
                    group=group, collection=collection, permission=permission
                )
    import_module(_GROUPS_MIGRATION).make_groups(apps, connection.schema_editor())


def _root_page() -> Any:
    from wagtail.models import Page, Site

    root = Page.objects.filter(depth=1).first()
    if root is None:
        root = Page.add_root(title="Root", slug="root")
    home = root.get_children().first()
    if home is None:
        home = root.add_child(instance=Page(title="Welcome", slug="home"))
    if not Site.objects.filter(is_default_site=True).exists():
        Site.objects.create(
            hostname="localhost",
            port=settings.PORT,
            site_name=settings.WAGTAIL_SITE_NAME,
            root_page=home,
            is_default_site=True,
        )
    return root


def _admin_access() -> Permission:
    # The app's model class is unmanaged, so a schema without migrations has no row for it.
    content_type, _ = ContentType.objects.get_or_create(app_label="wagtailadmin", model="admin")
    permission, _ = Permission.objects.get_or_create(
        content_type=content_type,
        codename="access_admin",
        defaults={"name": "Can access Wagtail admin"},
    )
    return permission
