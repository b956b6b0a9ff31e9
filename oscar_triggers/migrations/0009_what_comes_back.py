import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0008_operations"),
    ]

    operations = [
        migrations.CreateModel(
            name="Conversion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=80)),
                ("about_type", models.CharField(blank=True, max_length=40)),
                ("about_id", models.CharField(blank=True, max_length=120)),
                (
                    "value",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("occurred_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "conversion",
                "verbose_name_plural": "conversions",
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Hit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("link_no", models.SmallIntegerField()),
                ("occurred_at", models.DateTimeField()),
                ("method", models.CharField(default="GET", max_length=10)),
                ("user_agent", models.CharField(blank=True, max_length=300)),
                (
                    "hit_class",
                    models.CharField(
                        choices=[
                            ("human", "a person"),
                            ("machine", "a machine"),
                            ("unknown", "nobody can tell"),
                        ],
                        default="unknown",
                        max_length=10,
                    ),
                ),
                ("signs", models.JSONField(blank=True, default=list)),
            ],
            options={
                "verbose_name": "visit by a link",
                "verbose_name_plural": "visits by links",
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="ProviderReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("dedup_key", models.CharField(max_length=120, unique=True)),
                ("provider", models.CharField(max_length=60)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("deferred", "delayed"),
                            ("delivered", "delivered"),
                            ("bounced", "came back"),
                            ("rejected", "rejected by the provider"),
                            ("failed", "failed at the provider"),
                            ("opened", "opened (unreliable)"),
                            ("clicked", "clicked"),
                            ("unsubscribed", "unsubscribed"),
                            ("complained", "complained"),
                        ],
                        max_length=15,
                    ),
                ),
                ("channel", models.CharField(max_length=40)),
                ("point_hash", models.CharField(blank=True, max_length=40)),
                ("reason", models.CharField(blank=True, max_length=20)),
                ("detail", models.CharField(blank=True, max_length=500)),
                ("occurred_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "provider report",
                "verbose_name_plural": "provider reports",
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.AddField(
            model_name="dispatch",
            name="delivered_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="dispatch",
            name="feedback",
            field=models.CharField(
                blank=True,
                choices=[
                    ("deferred", "delayed"),
                    ("delivered", "delivered"),
                    ("bounced", "came back"),
                    ("rejected", "rejected by the provider"),
                    ("failed", "failed at the provider"),
                    ("opened", "opened (unreliable)"),
                    ("clicked", "clicked"),
                    ("unsubscribed", "unsubscribed"),
                    ("complained", "complained"),
                ],
                max_length=15,
            ),
        ),
        migrations.AddField(
            model_name="dispatch",
            name="feedback_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="dispatch",
            name="opened_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="clicked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="dispatch",
            index=models.Index(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=["provider_id"],
                name="triggers_dispatch_provider",
            ),
        ),
        migrations.AddField(
            model_name="conversion",
            name="journal_entry",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="conversion",
                to="oscar_triggers.journalentry",
            ),
        ),
        migrations.AddField(
            model_name="conversion",
            name="message",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="conversions",
                to="oscar_triggers.message",
            ),
        ),
        migrations.AddField(
            model_name="hit",
            name="message",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="hits",
                to="oscar_triggers.message",
            ),
        ),
        migrations.AddField(
            model_name="providerreport",
            name="dispatch",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="reports",
                to="oscar_triggers.dispatch",
            ),
        ),
        migrations.AddIndex(
            model_name="conversion",
            index=models.Index(fields=["kind", "occurred_at"], name="triggers_conversion_kind"),
        ),
        migrations.AddIndex(
            model_name="hit",
            index=models.Index(fields=["message", "occurred_at"], name="triggers_hit_of_message"),
        ),
        migrations.AddIndex(
            model_name="providerreport",
            index=models.Index(
                fields=["channel", "point_hash", "occurred_at"], name="triggers_report_of_point"
            ),
        ),
    ]
