from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

SHARING = ("doge-usdt", "pepe-usdt")  # of a fresh installation; theirs is what is left


def share(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    bots = apps.get_model("bots", "Bot").objects.using(schema_editor.connection.alias)
    bots.filter(slug__in=SHARING).update(shares_capital=True)


class Migration(migrations.Migration):
    dependencies = [("bots", "0005_targets")]

    operations = [
        migrations.AddField(
            model_name="bot",
            name="shares_capital",
            field=models.BooleanField(
                default=False,
                help_text="its capital moves between it and the other bots that share",
            ),
        ),
        migrations.RunPython(share, migrations.RunPython.noop),
    ]
