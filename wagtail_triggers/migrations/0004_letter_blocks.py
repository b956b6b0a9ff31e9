from django.db import migrations, models

import wagtail_triggers.fields


class Migration(migrations.Migration):
    dependencies = [
        ("wagtail_triggers", "0003_resolving_messages"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="templatedraft",
            options={
                "permissions": [
                    ("send_test_templatedraft", "Can send themselves test letters"),
                    ("take_over_templatedraft", "Can take templates over from files"),
                    ("write_mjml_templatedraft", "Can write letters as MJML"),
                ],
                "verbose_name": "template",
                "verbose_name_plural": "templates",
            },
        ),
        migrations.AddField(
            model_name="templatedraft",
            name="blocks",
            field=wagtail_triggers.fields.RegistryStreamField(
                blank=True, registry="letter_blocks", verbose_name="blocks"
            ),
        ),
        migrations.AlterField(
            model_name="templatedraft",
            name="body",
            field=models.TextField(blank=True, verbose_name="body"),
        ),
    ]
