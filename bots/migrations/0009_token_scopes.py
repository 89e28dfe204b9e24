from datetime import datetime, timedelta

from django.db import migrations, models
from django.utils import timezone


def in_a_year() -> datetime:
    return timezone.now() + timedelta(days=365)


class Migration(migrations.Migration):
    dependencies = [("bots", "0008_fee_rates")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="name",
            field=models.CharField(blank=True, help_text="what it is for", max_length=60, default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="apitoken",
            name="scope",
            field=models.CharField(
                blank=True,
                default="",
                help_text="a role: it opens no more than that; empty: whatever its account may do",
                max_length=12,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="apitoken",
            name="expires_at",
            field=models.DateTimeField(default=in_a_year),
            preserve_default=False,
        ),
    ]
