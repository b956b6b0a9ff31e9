"""Line by line and event by event, what the last look at an order saw and told."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add OrderWatch.known."""

    dependencies = [("oscar_triggers", "0012_answers_to_requests")]

    operations = [
        migrations.AddField(
            model_name="orderwatch",
            name="known",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
