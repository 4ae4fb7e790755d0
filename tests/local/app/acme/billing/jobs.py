"""A job in a namespace package, which has no file of its own."""

from __future__ import annotations


class Billing:
    def send(self, number: int) -> str:
        return f"sent {number}"


async def remind(customer: int, days: int = 14) -> str:
    return f"customer {customer} has {days} days"
