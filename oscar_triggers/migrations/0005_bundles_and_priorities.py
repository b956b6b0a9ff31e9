from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0004_arms_of_splits"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="bundle_key",
            field=models.CharField(blank=True, max_length=200, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="message",
            name="priority",
            field=models.SmallIntegerField(default=50),
        ),
        migrations.AddField(
            model_name="message",
            name="variants",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="messageitem",
            name="idempotency_key",
            field=models.CharField(blank=True, max_length=200, null=True, unique=True),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["contact", "settled_at"], name="triggers_message_of_contact"
            ),
        ),
    ]
