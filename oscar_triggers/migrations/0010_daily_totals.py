import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0009_what_comes_back"),
    ]

    operations = [
        migrations.CreateModel(
            name="DailyTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("step_key", models.CharField(blank=True, max_length=80)),
                ("variant", models.CharField(blank=True, max_length=40)),
                ("channel", models.CharField(blank=True, max_length=40)),
                ("measure", models.CharField(max_length=100)),
                ("count", models.PositiveIntegerField(default=0)),
                (
                    "value",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=16, null=True),
                ),
                ("currency", models.CharField(blank=True, max_length=3)),
            ],
            options={
                "verbose_name": "daily total",
                "verbose_name_plural": "daily totals",
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.AddField(
            model_name="dailytotal",
            name="flow",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="daily_totals",
                to="oscar_triggers.flow",
            ),
        ),
        migrations.AddConstraint(
            model_name="dailytotal",
            constraint=models.UniqueConstraint(
                fields=("day", "flow", "step_key", "variant", "channel", "measure", "currency"),
                name="triggers_daily_total_once",
            ),
        ),
    ]
