import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0006_rehearsals"),
    ]

    operations = [
        migrations.AddField(
            model_name="vouchergrant",
            name="enrollment",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="voucher_grants",
                to="oscar_triggers.enrollment",
            ),
        ),
        migrations.AddField(
            model_name="vouchergrant",
            name="pass_no",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="vouchergrant",
            name="step_key",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AlterField(
            model_name="vouchergrant",
            name="message",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="voucher_grant",
                to="oscar_triggers.message",
            ),
        ),
        migrations.AddIndex(
            model_name="vouchergrant",
            index=models.Index(fields=["contact", "created_at"], name="triggers_grant_recent"),
        ),
        migrations.AddConstraint(
            model_name="vouchergrant",
            constraint=models.UniqueConstraint(
                fields=("enrollment", "step_key", "pass_no"), name="triggers_step_grant_once"
            ),
        ),
    ]
