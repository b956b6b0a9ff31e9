from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oscar_triggers", "0013_what_a_look_at_an_order_saw"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProductPair",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("product_id", models.BigIntegerField()),
                ("companion_id", models.BigIntegerField()),
                ("count", models.PositiveIntegerField()),
                ("computed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "products bought together",
                "verbose_name_plural": "products bought together",
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["product_id", "-count"], name="triggers_pair_best")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("product_id", "companion_id"), name="triggers_pair_once"
                    )
                ],
            },
        ),
    ]
