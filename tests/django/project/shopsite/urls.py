"""The pages of docs/frameworks.md."""

from __future__ import annotations

from typing import Any

from django.urls import path
from orders import views  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

urlpatterns: list[Any] = [
    path("buy/<str:customer>", views.buy),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    path("orders/<int:order_id>", views.show),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
]
