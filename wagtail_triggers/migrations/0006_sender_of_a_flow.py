from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wagtail_triggers", "0005_letter_brand"),
    ]

    operations = [
        migrations.AddField(
            model_name="flowdraft",
            name="sender",
            field=models.CharField(blank=True, default="", max_length=60, verbose_name="sender"),
        ),
    ]
