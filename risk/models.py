"""Who must stop: halts, opened by risk and obeyed by bots on every tick."""

from django.db import models


class Halt(models.Model):
    """An order to stop trading, for one subject ("bot:7") or for all; open until lifted."""

    subject = models.CharField(max_length=64, help_text='"all" or "bot:" and the bot\'s id')
    reason = models.CharField(max_length=300)
    opened_at = models.DateTimeField(auto_now_add=True)
    opened_by = models.CharField(max_length=150)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject"],
                condition=models.Q(lifted_at=None),
                name="one_open_halt_per_subject",
            )
        ]

    def __str__(self) -> str:
        return f"halt of {self.subject}: {self.reason}"
