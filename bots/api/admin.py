"""Keys to the API in the admin: made, shown once, listed and revoked by those with role admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from bots import tokens
from bots.models import ApiToken
from bots.roles import Role, roles_of
from market.readonly import ReadOnlyAdmin


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whose the key is, what it opens and how long it lives."""

    user = forms.ModelChoiceField(User.objects.filter(is_active=True).order_by("username"))
    scope = forms.ChoiceField(
        choices=[("", "whatever its account may do"), *((r.value, r.value) for r in Role)],
        required=False,
        help_text="it opens no more than what that role may do",
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=tokens.MOST_DAYS,
        initial=tokens.USUAL_DAYS,
        help_text="how long it lives",
    )

    class Meta:
        model = ApiToken
        fields = ("user", "name", "scope")

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        user, scope = found.get("user"), found.get("scope")
        if user and not roles_of(user):
            self.add_error("user", "the account has no role; give it one first")
        elif user and scope and scope not in tokens.scopes_of(user):
            accepted = ", ".join(tokens.scopes_of(user))
            self.add_error("scope", f"more than the account may do; accepted: {accepted}")
        return found


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Keys to the API. Deleting one revokes it."""

    form = TokenForm
    list_display = ("user", "name", "scope", "created_at", "expires_at")
    shown = list_display
    list_filter = ("scope",)
    search_fields = ("user__username", "name")
    list_select_related = ("user",)
    actions = None

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ANN401
        asked = ("user", "name", "scope", "days")
        return asked if obj is None else super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ANN401
        return () if obj is None else super().get_readonly_fields(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return Role.ADMIN in roles_of(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        return Role.ADMIN in roles_of(request.user)

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiToken,
        form: Any,  # noqa: ANN401 - Django's own promise is any form; this page's is TokenForm
        change: bool,  # noqa: ARG002, FBT001 - Django's signature
    ) -> None:
        """Make it in the one place that does; the key is kept for the answer alone."""
        wish = form.cleaned_data
        by = request.user.get_username()
        key = tokens.make(
            wish["user"], by=by, name=wish["name"], scope=wish["scope"], days=wish["days"]
        )
        obj.pk = ApiToken.objects.get(digest=tokens.digest(key)).pk
        obj.refresh_from_db()
        request.new_key = key  # type: ignore[attr-defined]

    def response_add(
        self,
        request: HttpRequest,
        obj: ApiToken,
        post_url_continue: str | None = None,  # noqa: ARG002 - Django's signature
    ) -> HttpResponse:
        """Show the key, once: it goes into no message, no session and no cache."""
        shown = {
            **self.admin_site.each_context(request),
            "title": "The new token",
            "token": obj,
            "key": request.new_key,  # type: ignore[attr-defined]
        }
        answer = render(request, "admin/token.html", shown)
        answer["Cache-Control"] = "no-store"
        return answer

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        tokens.revoke(obj, by=request.user.get_username())
