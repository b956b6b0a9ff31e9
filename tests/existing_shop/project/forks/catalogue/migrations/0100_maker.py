"""The shop's own column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0032_category_exclude_from_menu_category_long_description")]

    operations = [
        migrations.AddField(
            model_name="product",
            name="maker",
            field=models.CharField(max_length=80, blank=True, default=""),
        )
    ]
