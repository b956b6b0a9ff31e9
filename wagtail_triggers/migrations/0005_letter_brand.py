import django.core.validators
import django.db.models.deletion
import wagtail.models.preview
from django.db import migrations, models
from wagtail.images import get_image_model_string


class Migration(migrations.Migration):
    dependencies = [
        ("wagtail_triggers", "0004_letter_blocks"),
        migrations.swappable_dependency(get_image_model_string()),
    ]

    operations = [
        migrations.CreateModel(
            name="LetterBrand",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "logo_width",
                    models.PositiveSmallIntegerField(
                        default=160,
                        validators=[
                            django.core.validators.MinValueValidator(20),
                            django.core.validators.MaxValueValidator(600),
                        ],
                        verbose_name="width of the logo in pixels",
                    ),
                ),
                (
                    "font",
                    models.CharField(
                        choices=[
                            ("system", "the reader's own (system)"),
                            ("serif", "with serifs (Georgia)"),
                            ("humanist", "round (Trebuchet)"),
                            ("mono", "typewriter (Courier)"),
                        ],
                        default="system",
                        help_text="Letters load no fonts; mailboxes would not.",
                        max_length=20,
                        verbose_name="font",
                    ),
                ),
                (
                    "light_page",
                    models.CharField(
                        default="#f3f0ea",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="around the letter",
                    ),
                ),
                (
                    "light_card",
                    models.CharField(
                        default="#ffffff",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="behind the text",
                    ),
                ),
                (
                    "light_text",
                    models.CharField(
                        default="#2b2a27",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="text",
                    ),
                ),
                (
                    "light_muted",
                    models.CharField(
                        default="#6b675f",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="small print",
                    ),
                ),
                (
                    "light_line",
                    models.CharField(
                        default="#e6e1d8",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="lines",
                    ),
                ),
                (
                    "light_accent",
                    models.CharField(
                        default="#14532d",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="buttons and links",
                    ),
                ),
                (
                    "light_on_accent",
                    models.CharField(
                        default="#ffffff",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="text on buttons",
                    ),
                ),
                (
                    "dark_page",
                    models.CharField(
                        default="#141513",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="around the letter",
                    ),
                ),
                (
                    "dark_card",
                    models.CharField(
                        default="#1f211e",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="behind the text",
                    ),
                ),
                (
                    "dark_text",
                    models.CharField(
                        default="#f1eee6",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="text",
                    ),
                ),
                (
                    "dark_muted",
                    models.CharField(
                        default="#aaa69b",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="small print",
                    ),
                ),
                (
                    "dark_line",
                    models.CharField(
                        default="#3a3d37",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="lines",
                    ),
                ),
                (
                    "dark_accent",
                    models.CharField(
                        default="#8fd6a8",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="buttons and links",
                    ),
                ),
                (
                    "dark_on_accent",
                    models.CharField(
                        default="#10231a",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A#[0-9a-fA-F]{6}\\Z",
                                "Write a colour as # and six digits: #14532d.",
                            )
                        ],
                        verbose_name="text on buttons",
                    ),
                ),
                (
                    "button_radius",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "square"),
                            (4, "a little round"),
                            (10, "round"),
                            (28, "very round"),
                        ],
                        default=10,
                        verbose_name="corners of buttons",
                    ),
                ),
                (
                    "button_is_wide",
                    models.BooleanField(
                        default=False, verbose_name="buttons as wide as the letter"
                    ),
                ),
                (
                    "header",
                    models.CharField(blank=True, max_length=255, verbose_name="below the logo"),
                ),
                (
                    "footer",
                    models.CharField(
                        blank=True,
                        help_text="Why people get letters from you, for example.",
                        max_length=500,
                        verbose_name="above the link to unsubscribe",
                    ),
                ),
                ("legal", models.CharField(blank=True, max_length=1000, verbose_name="legal text")),
                ("instagram", models.URLField(blank=True, verbose_name="Instagram")),
                ("facebook", models.URLField(blank=True, verbose_name="Facebook")),
                ("youtube", models.URLField(blank=True, verbose_name="YouTube")),
                ("tiktok", models.URLField(blank=True, verbose_name="TikTok")),
                ("pinterest", models.URLField(blank=True, verbose_name="Pinterest")),
                ("telegram", models.URLField(blank=True, verbose_name="Telegram")),
                ("vk", models.URLField(blank=True, verbose_name="VK")),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "logo",
                    models.ForeignKey(
                        blank=True,
                        help_text="Without one, the shop's name stands there.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=get_image_model_string(),
                        verbose_name="logo",
                    ),
                ),
            ],
            options={
                "verbose_name": "looks of letters",
                "verbose_name_plural": "looks of letters",
            },
            bases=(wagtail.models.preview.PreviewableMixin, models.Model),
        ),
    ]
