from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0014_products_bought_together"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="message",
            name="triggers_message_recent",
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(fields=["-entered_at", "-id"], name="triggers_enrollment_recent"),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                fields=["flow", "-entered_at", "-id"], name="triggers_enrollment_of_flow"
            ),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                condition=models.Q(("state", "held")),
                fields=["-entered_at", "-id"],
                name="triggers_enrollment_held",
            ),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                condition=models.Q(("exit_reason", ""), _negated=True),
                fields=["exit_reason", "-entered_at", "-id"],
                name="triggers_enrollment_exits",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["-planned_at", "-id"], name="triggers_message_recent"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["state", "settled_at", "flow", "contact", "clicked_at", "is_shadow"],
                name="triggers_message_reports",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["flow", "-planned_at", "-id"], name="triggers_message_of_flow"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("state", "sent"), _negated=True),
                fields=["state", "-planned_at", "-id"],
                name="triggers_message_unsent",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("reason", ""), _negated=True),
                fields=["reason", "-planned_at", "-id"],
                name="triggers_message_reasons",
            ),
        ),
    ]
