"""The shop's own column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("partner", "0007_partneraddress_code")]

    operations = [
        migrations.AddField(
            model_name="stockrecord",
            name="shelf",
            field=models.CharField(max_length=80, blank=True, default=""),
        )
    ]
