"""Gives the letters that are there the key of their translations and the locale of their language."""

import uuid

from django.db import migrations

#: As in `wagtail_triggers.translations`.
_NAMES = uuid.UUID("3f0e5c0a-6f1d-4f0b-9a5e-0d8f3c1b7a42")


def fill(apps, schema_editor):
    """Write both for every letter."""
    drafts = apps.get_model("wagtail_triggers", "TemplateDraft").objects
    locale_model = apps.get_model("wagtailcore", "Locale")
    locales = dict(locale_model.objects.values_list("language_code", "pk"))
    for pk, key, language in drafts.values_list("pk", "key", "language"):
        drafts.filter(pk=pk).update(
            translation_key=uuid.uuid5(_NAMES, key), locale=locales.get(language)
        )


class Migration(migrations.Migration):
    dependencies = [
        ("wagtail_triggers", "0010_translations_of_a_letter"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
