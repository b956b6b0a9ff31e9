"""Adds the permissions to stop sending and to take lists away."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wagtail_triggers", "0006_sender_of_a_flow")]

    operations = [
        migrations.AlterModelOptions(
            name="flowdraft",
            options={
                "permissions": [
                    ("pause_flowdraft", "Can pause and resume flows"),
                    ("take_over_flowdraft", "Can take flows over from files"),
                    (
                        "resolve_message",
                        "Can decide about messages in doubt, and send failed ones again",
                    ),
                    ("view_personal_data", "Can see who messages went to and what they said"),
                    ("stop_sending", "Can stop all sending, and let it go on"),
                    ("export_data", "Can take lists away as files"),
                ],
                "verbose_name": "flow",
                "verbose_name_plural": "flows",
            },
        ),
    ]
