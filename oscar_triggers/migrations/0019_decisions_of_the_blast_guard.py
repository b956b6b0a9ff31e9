from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0018_members_of_segments"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("rule", "blast_guard")),
                fields=["flow"],
                name="triggers_decision_blasts",
            ),
        ),
    ]
