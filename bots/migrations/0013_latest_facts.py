from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("bots", "0012_ledger_posts")]

    operations = [
        migrations.AddIndex(
            model_name="fill",
            index=models.Index(fields=["-time", "-id"], name="latest_fills"),
        ),
        migrations.AddIndex(
            model_name="roundtrip",
            index=models.Index(fields=["closed"], name="round_trips_closed"),
        ),
    ]
