"""The shop's own column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("basket", "0012_line_code")]

    operations = [
        migrations.AddField(
            model_name="basket",
            name="gift_note",
            field=models.CharField(max_length=80, blank=True, default=""),
        )
    ]
