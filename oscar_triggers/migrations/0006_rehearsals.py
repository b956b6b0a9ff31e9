from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0005_bundles_and_priorities"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="is_shadow",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="dispatch",
            name="state",
            field=models.CharField(
                choices=[
                    ("planned", "waiting"),
                    ("leased", "being prepared"),
                    ("sending", "being handed over"),
                    ("sent", "sent"),
                    ("unknown", "handed over, no answer"),
                    ("retry", "will be tried again"),
                    ("dead", "failed"),
                    ("skipped", "decided against"),
                    ("expired", "too late"),
                    ("cancelled", "cancelled"),
                    ("shadowed", "rehearsed"),
                ],
                default="planned",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="flow",
            name="state",
            field=models.CharField(
                choices=[
                    ("live", "live"),
                    ("shadow", "rehearsing"),
                    ("paused", "paused"),
                    ("archived", "switched off"),
                ],
                default="live",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="state",
            field=models.CharField(
                choices=[
                    ("planned", "waiting"),
                    ("sent", "sent"),
                    ("unknown", "handed over, no answer"),
                    ("skipped", "decided against"),
                    ("expired", "too late"),
                    ("cancelled", "cancelled"),
                    ("dead", "failed"),
                    ("shadowed", "rehearsed"),
                ],
                default="planned",
                max_length=12,
            ),
        ),
    ]
