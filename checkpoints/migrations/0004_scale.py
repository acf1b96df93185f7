import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("checkpoints", "0003_safety"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="project",
            index=models.Index(fields=["created_at"], name="project_newest"),
        ),
        migrations.AddIndex(
            model_name="checkpoint",
            index=models.Index(fields=["created_at"], name="checkpoint_newest"),
        ),
        migrations.AddIndex(
            model_name="checkpoint",
            index=models.Index(fields=["parent", "-created_at"], name="checkpoint_newest_child"),
        ),
        migrations.AddIndex(
            model_name="checkpoint",
            index=models.Index(fields=["snapshot_id"], name="checkpoint_of_snapshot"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["created_at"], name="run_newest"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["owner", "-created_at"], name="run_newest_of_owner"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("state__has_key", "leftover")), fields=["project"], name="run_with_leftovers"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("state__has_key", "unsure")), fields=["project"], name="run_unsure"
            ),
        ),
        # The indices of these keys are the beginnings of others. With that of a run's owner Django would drop the
        # constraint's too, which is on the same column.
        migrations.RemoveConstraint(model_name="run", name="one_unfinished_run_per_owner"),
        migrations.AlterField(
            model_name="project",
            name="owner",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="projects",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="checkpoint",
            name="project",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="checkpoints",
                to="checkpoints.project",
            ),
        ),
        migrations.AlterField(
            model_name="checkpoint",
            name="parent",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="children",
                to="checkpoints.checkpoint",
            ),
        ),
        migrations.AlterField(
            model_name="run",
            name="owner",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="runs",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="run",
            name="project",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="runs",
                to="checkpoints.project",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["queued", "running"])),
                fields=("owner",),
                name="one_unfinished_run_per_owner",
                violation_error_message="Another action of yours is still at work.",
            ),
        ),
    ]
