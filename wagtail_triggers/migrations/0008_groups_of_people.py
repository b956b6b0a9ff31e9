"""Makes the groups of people who work with triggers, with what each may do."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

EDITORS, APPROVERS, ANALYSTS = "Trigger editors", "Trigger approvers", "Trigger analysts"

_READING = [
    ("wagtailadmin", "access_admin"),
    ("wagtail_triggers", "view_flowdraft"),
    ("wagtail_triggers", "view_templatedraft"),
    ("oscar_triggers", "view_message"),
    ("oscar_triggers", "view_enrollment"),
    ("oscar_triggers", "view_productrequest"),
    ("oscar_triggers", "view_surveyanswer"),
    ("oscar_triggers", "view_savedsegment"),
    ("oscar_triggers", "view_oneoffletter"),
]
_ANALYSING = [*_READING, ("wagtail_triggers", "export_data")]
_WRITING = [
    *_READING,
    ("wagtail_triggers", "add_flowdraft"),
    ("wagtail_triggers", "change_flowdraft"),
    ("wagtail_triggers", "delete_flowdraft"),
    ("wagtail_triggers", "add_templatedraft"),
    ("wagtail_triggers", "change_templatedraft"),
    ("wagtail_triggers", "delete_templatedraft"),
    ("oscar_triggers", "add_savedsegment"),
    ("oscar_triggers", "change_savedsegment"),
    ("oscar_triggers", "delete_savedsegment"),
    ("oscar_triggers", "add_oneoffletter"),
    ("oscar_triggers", "change_oneoffletter"),
    ("oscar_triggers", "delete_oneoffletter"),
    ("wagtail_triggers", "send_test_templatedraft"),
]
_APPROVING = [
    *_WRITING,
    ("wagtail_triggers", "publish_flowdraft"),
    ("wagtail_triggers", "lock_flowdraft"),
    ("wagtail_triggers", "unlock_flowdraft"),
    ("wagtail_triggers", "publish_templatedraft"),
    ("wagtail_triggers", "lock_templatedraft"),
    ("wagtail_triggers", "unlock_templatedraft"),
    ("wagtail_triggers", "pause_flowdraft"),
    ("wagtail_triggers", "take_over_flowdraft"),
    ("wagtail_triggers", "take_over_templatedraft"),
    ("wagtail_triggers", "view_personal_data"),
    ("wagtail_triggers", "resolve_message"),
    ("wagtail_triggers", "write_mjml_templatedraft"),
    ("wagtail_triggers", "change_letterbrand"),
    ("wagtail_triggers", "stop_sending"),
    ("wagtail_triggers", "export_data"),
    ("oscar_triggers", "change_contact"),
    ("oscar_triggers", "send_oneoffletter"),
]
GROUPS = {EDITORS: _WRITING, APPROVERS: _APPROVING, ANALYSTS: _ANALYSING}
#: Who chooses pictures for letters: Wagtail asks that of a collection, not of a model.
CHOOSERS = (EDITORS, APPROVERS)


def make_groups(apps, schema_editor):
    """Make each group that is missing; one that a shop has already keeps what it may do."""
    make_permissions(apps, schema_editor)
    group_model = apps.get_model("auth", "Group")
    for name, wanted in GROUPS.items():
        group, is_new = group_model.objects.get_or_create(name=name)
        if is_new:
            give(apps, group, wanted)
            if name in CHOOSERS:
                let_choose_pictures(apps, group)


def make_permissions(apps, schema_editor):
    """Make the rows that Django makes after all migrations only: groups need them now."""
    for label in ("oscar_triggers", "wagtail_triggers"):
        config = apps.get_app_config(label)
        # Historical apps have no module of models, without which nothing is made.
        had = getattr(config, "models_module", None)
        config.models_module = True
        create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
        config.models_module = had
    content_type_model = apps.get_model("contenttypes", "ContentType")
    permission_model = apps.get_model("auth", "Permission")
    # Wagtail makes these after all migrations, and looks for them by content type and codename.
    for model, name in (("flowdraft", "flow"), ("templatedraft", "template")):
        content_type, _is_new = content_type_model.objects.get_or_create(
            app_label="wagtail_triggers", model=model
        )
        for verb in ("publish", "lock", "unlock"):
            permission_model.objects.get_or_create(
                content_type=content_type,
                codename=f"{verb}_{model}",
                defaults={"name": f"Can {verb} {name}"},
            )


def give(apps, group, wanted):
    """Let a group do something; raises where a name names no permission."""
    permission_model = apps.get_model("auth", "Permission")
    for app_label, codename in wanted:
        permission = permission_model.objects.filter(
            content_type__app_label=app_label, codename=codename
        ).first()
        if permission is None:
            raise LookupError(f"There is no permission {app_label}.{codename}.")
        group.permissions.add(permission)


def let_choose_pictures(apps, group):
    """Let a group choose among all pictures of the site; a site without collections has none."""
    permission = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="wagtailimages", codename="choose_image"
    )
    for collection in apps.get_model("wagtailcore", "Collection").objects.filter(depth=1):
        apps.get_model("wagtailcore", "GroupCollectionPermission").objects.get_or_create(
            group=group, collection=collection, permission=permission.get()
        )


def drop_groups(apps, schema_editor):
    """Take the groups away again where nobody is in them, with all that was allowed to them."""
    group_model = apps.get_model("auth", "Group")
    gone = list(group_model.objects.filter(name__in=GROUPS, user=None).values_list("pk", flat=True))
    # Not by the cascade: on the way back, tables that point at groups may know another rendering
    # of the model than the one at hand, and then Django refuses to compare them. Numbers pass.
    for relation in group_model._meta.get_fields(include_hidden=True):
        if relation.auto_created and (relation.one_to_many or relation.one_to_one):
            pointing = relation.related_model._base_manager
            pointing.filter(**{f"{relation.field.name}__in": gone}).delete()
    groups = group_model._base_manager.filter(pk__in=gone)
    groups._raw_delete(groups.db)


# Wagtail's apps give every group that is there the choice of all pictures and documents, once. The
# groups come after that, so that they may do the same in a new shop as in one that stands.
_AFTER_WAGTAIL = [("wagtailimages", "0023_add_choose_permissions")]
if installed.is_installed("wagtail.documents"):
    _AFTER_WAGTAIL.append(("wagtaildocs", "0011_add_choose_permissions"))


class Migration(migrations.Migration):
    dependencies = [
        ("wagtail_triggers", "0007_more_permissions"),
        ("oscar_triggers", "0017_one_off_letters"),
        ("wagtailadmin", "0001_create_admin_access_permissions"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        *_AFTER_WAGTAIL,
    ]

    operations = [migrations.RunPython(make_groups, drop_groups)]
