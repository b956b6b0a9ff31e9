"""Where everything of the sandbox stands."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("django-admin/", admin.site.urls),
    *(
        [
            path("cms/", include("wagtail.admin.urls")),
            path("documents/", include("wagtail.documents.urls")),
        ]
        if settings.WITH_WAGTAIL
        else []
    ),
    path("t/", include("oscar_triggers.urls")),
    path("inbox/", include("sandbox.shop.urls")),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
