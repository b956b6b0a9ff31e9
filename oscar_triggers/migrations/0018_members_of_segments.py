import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0017_one_off_letters"),
    ]

    operations = [
        migrations.CreateModel(
            name="SegmentRoll",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("segment", models.CharField(max_length=80)),
                ("content_hash", models.CharField(max_length=40)),
                ("started_at", models.DateTimeField()),
                ("last_contact_id", models.BigIntegerField(default=0)),
                ("looked_at", models.PositiveIntegerField(default=0)),
                ("people", models.PositiveIntegerField(default=0)),
                ("counted_at", models.DateTimeField(blank=True, null=True)),
                ("problem", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "verbose_name": "count of a segment",
                "verbose_name_plural": "counts of segments",
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["segment", "-counted_at"], name="triggers_roll_newest")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("counted_at", None)),
                        fields=("segment",),
                        name="triggers_roll_counted_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SegmentMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="oscar_triggers.contact",
                    ),
                ),
                (
                    "roll",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="members",
                        to="oscar_triggers.segmentroll",
                    ),
                ),
            ],
            options={
                "verbose_name": "person in a segment",
                "verbose_name_plural": "people in segments",
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("roll", "contact"), name="triggers_member_once")
                ],
            },
        ),
    ]
