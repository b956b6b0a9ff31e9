"""The shop's own column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("order", "0021_billingaddress_code_shippingaddress_code")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="picked_by",
            field=models.CharField(max_length=80, blank=True, default=""),
        )
    ]
