import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0002_contact_fields_and_tags"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="enrollment",
            name="triggers_enrollment_due",
        ),
        migrations.AddField(
            model_name="enrollment",
            name="arrived_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="awaits",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="is_shadow",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="lane",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="skips",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="woken_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="oscar_triggers.journalentry",
            ),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                condition=models.Q(("state", "active")),
                fields=["lane", "due_at", "id"],
                name="triggers_enrollment_lanes",
            ),
        ),
    ]
