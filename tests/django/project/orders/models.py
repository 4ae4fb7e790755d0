from __future__ import annotations

from typing import ClassVar

from django.db import models


class Order(models.Model):
    objects: ClassVar[models.Manager[Order]] = models.Manager()

    customer: models.CharField[str, str] = models.CharField(max_length=100)
    confirmation: models.CharField[str, str] = models.CharField(max_length=36, blank=True)

    class Meta:
        app_label = "orders"
