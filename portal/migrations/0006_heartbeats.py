from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0005_empty_data_keys")]

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("name", models.CharField(max_length=255, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("worker", "Worker"), ("beat", "Beat"), ("doctor", "Doctor")], max_length=12
                    ),
                ),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
