import datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("oscar_triggers", "0016_segments"),
    ]

    operations = [
        migrations.AlterField(
            model_name="flow",
            name="owner",
            field=models.CharField(
                choices=[
                    ("file", "a file"),
                    ("editor", "the editor"),
                    ("letter", "a one-off letter"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="template",
            name="owner",
            field=models.CharField(
                choices=[
                    ("file", "a file"),
                    ("editor", "the editor"),
                    ("letter", "a one-off letter"),
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="OneOffLetter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("segment", models.CharField(max_length=80)),
                ("template", models.CharField(max_length=80)),
                ("topic", models.CharField(max_length=60)),
                ("sender", models.CharField(blank=True, max_length=60)),
                ("send_at", models.DateTimeField(blank=True, null=True)),
                ("in_readers_time", models.BooleanField(default=False)),
                ("max_lateness", models.DurationField(default=datetime.timedelta(seconds=43200))),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("scheduled", "waits for its time"),
                            ("sending", "being sent"),
                            ("done", "done"),
                            ("cancelled", "cancelled"),
                            ("missed", "too late, not sent"),
                        ],
                        default="draft",
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                ("confirmed_people", models.PositiveIntegerField(blank=True, null=True)),
                ("start_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("last_contact_id", models.BigIntegerField(default=0)),
                ("looked_at", models.PositiveIntegerField(default=0)),
                ("chosen", models.PositiveIntegerField(default=0)),
                ("chosen_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("problem", models.CharField(blank=True, max_length=300)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "flow",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="one_off_letter",
                        to="oscar_triggers.flow",
                    ),
                ),
            ],
            options={
                "verbose_name": "one-off letter",
                "verbose_name_plural": "one-off letters",
                "permissions": [
                    ("send_oneoffletter", "Can confirm, pause and cancel one-off letters")
                ],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["scheduled", "sending"])),
                        fields=["start_at"],
                        name="triggers_one_off_due",
                    )
                ],
            },
        ),
    ]
