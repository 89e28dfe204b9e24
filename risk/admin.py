"""Risk in the admin: halts, guards and the audit trail to read, the limits to change."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from market.readonly import ReadOnlyAdmin, number
from market.types import plain
from risk import policy
from risk.models import AuditRow, Guard, GuardEvent, Halt, Policy
from risk.policy import LOOSEN


@admin.register(Halt)
class HaltAdmin(ReadOnlyAdmin):
    """Who had to stop, why, and until when."""

    list_display = (
        "subject", "kind", "state", "reason", "opened_at", "opened_by", "lifted_at", "lifted_by",
    )  # fmt: skip
    shown = (
        *list_display, "origin", "sell", "foreign", "drill", "committed_at", "sent_at",
        "first_empty_at", "done_at", "cancelled", "open_orders", "trouble",
    )  # fmt: skip
    list_filter = ("kind", ("lifted_at", admin.EmptyFieldListFilter))
    search_fields = ("subject", "reason", "opened_by", "lifted_by")
    ordering = ("-id",)


@admin.register(Guard)
class GuardAdmin(ReadOnlyAdmin):
    """What is watched, and how it stands."""

    list_display = (
        "name", "subject", "state", number("value"), number("limit"), "unit", "since", "did",
        "checked_at",
    )  # fmt: skip
    shown = (*list_display, "no_buys", "until")
    list_filter = ("state", "name")
    search_fields = ("name", "subject")


@admin.register(GuardEvent)
class GuardEventAdmin(ReadOnlyAdmin):
    """What guards did."""

    list_display = ("at", "name", "subject", "state", number("value"), number("limit"), "did")
    shown = list_display
    list_filter = ("name", "state")
    search_fields = ("name", "subject")


@admin.register(AuditRow)
class AuditAdmin(ReadOnlyAdmin):
    """The audit trail; `manage.py audit --verify` proves it."""

    list_display = ("number", "at", "who", "origin", "what", "subject", "reason")
    shown = (*list_display, "before", "after", "previous", "seal")
    list_filter = ("what",)
    search_fields = ("who", "subject", "reason")


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """The limits, and why they change."""

    reason = forms.CharField(max_length=300, help_text="kept in the audit trail")
    request: HttpRequest

    class Meta:
        model = Policy
        exclude = ()  # noqa: DJ006 - every column is a limit

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as Django's own
        super().__init__(*args, **options)
        for name, value in self.initial.items():
            if isinstance(value, Decimal):
                self.initial[name] = plain(value)

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        changed = {
            name: found[name]
            for name in self.changed_data
            if name in policy.thresholds() and name in found  # what is no number is told already
        }
        # Locked until the change is made, so nobody moves a limit between this look and that.
        before = policy.locked()
        looser = policy.loosened({name: getattr(before, name) for name in changed}, changed)
        if looser and not self.request.user.has_perm(LOOSEN):
            for name in looser:
                self.add_error(name, f"looser than now; that needs the permission {LOOSEN}")
        return found


@admin.register(Policy)
class PolicyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The limits of risk. Every change is audited; loosening needs a permission of its own."""

    form = PolicyForm
    list_display = (
        "__str__", number("collar"), "orders_per_minute", number("api_errors"),
        number("equity_kill"),
    )  # fmt: skip

    def get_form(
        self,
        request: HttpRequest,
        obj: Policy | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **options: Any,  # noqa: ANN401
    ) -> type[PolicyForm]:
        """The form, told who fills it in."""
        made: type[PolicyForm] = super().get_form(request, obj, change=change, **options)
        return type("BoundPolicyForm", (made,), {"request": request})

    def get_queryset(self, request: HttpRequest) -> Any:  # noqa: ANN401 - Django's own
        """The one row, written when it is not there yet."""
        policy.current()
        return super().get_queryset(request)

    def save_model(self, request: HttpRequest, obj: Policy, form: PolicyForm, change: bool) -> None:  # noqa: ARG002, FBT001
        """Change what was changed, by the one way there is."""
        wishes = {
            name: form.cleaned_data[name]
            for name in form.changed_data
            if name in policy.thresholds()
        }
        policy.change(
            wishes,
            by=request.user.get_username(),
            may_loosen=request.user.has_perm(LOOSEN),
            reason=form.cleaned_data["reason"],
        )

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Policy | None = None) -> bool:  # noqa: ARG002
        return False
