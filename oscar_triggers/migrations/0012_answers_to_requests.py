from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0011_stock_prices_requests_and_orders"),
    ]

    operations = [
        migrations.AddField(
            model_name="productrequest",
            name="answer_id",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="productrequest",
            index=models.Index(
                condition=models.Q(("state", "told")),
                fields=["answer_id", "buy_until"],
                name="triggers_request_reserved",
            ),
        ),
        migrations.AddIndex(
            model_name="productrequest",
            index=models.Index(
                condition=models.Q(("ended_at", None), ("state", "told")),
                fields=["id"],
                name="triggers_request_unsettled",
            ),
        ),
    ]
