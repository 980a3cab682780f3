"""Seven policies of the airline as contracts, each for the runs that it is about.

What they say in words stands in `README.md`.
"""

from __future__ import annotations

import re

from pytest_mlflow_traces import Contract, each, never, span

BOOK, CANCEL, CERTIFICATE = span("book_reservation"), span("cancel_reservation"), span("send_certificate")
CHANGE = span(re.compile("cancel_reservation|update_reservation_.*"), type="TOOL")
WRITE = span(re.compile("(book|cancel|update)_.*|send_certificate"), type="TOOL")
CUSTOMER, RESERVATION = span("get_user_details"), span("get_reservation_details")
USER, HANDOVER = span("user"), span("transfer_to_human_agents")


def reservation(**attributes):
    return span("get_reservation_details", attributes=attributes)


BETTER = span("update_reservation_flights", attributes={"cabin": "business"})
REFUSED = [
    never(CANCEL).after(
        reservation(cabin=cabin, insurance="no", booked_today=False), since=BETTER, same="inputs.reservation_id"
    )
    for cabin in ("economy", "basic_economy")
]
REGULAR = span("get_user_details", attributes={"membership": "regular"})
ENTITLED = reservation(insurance="yes") | reservation(cabin="business")

POLICIES = [
    Contract("known customer", each(BOOK).after(CUSTOMER, same="inputs.user_id"), applies_to=BOOK),
    Contract("known reservation", each(CHANGE).after(RESERVATION, same="inputs.reservation_id"), applies_to=CHANGE),
    Contract(
        "confirmed by the user",
        never(CHANGE).after(RESERVATION, since=USER, same="inputs.reservation_id"),
        never(BOOK).after(CUSTOMER, since=USER),
        never(WRITE).after(span(type="TOOL", status="ERROR"), since=USER),
        applies_to=WRITE,
    ),
    Contract("few payments", never(span("book_reservation", attributes={"too_many_payments": True})), applies_to=BOOK),
    Contract("may be cancelled", *REFUSED, applies_to=CANCEL),
    Contract(
        "compensation",
        each(CERTIFICATE).after(CUSTOMER, same="inputs.user_id"),
        each(CERTIFICATE).after(RESERVATION),
        never(CERTIFICATE).after(REGULAR, since=ENTITLED),
        applies_to=CERTIFICATE,
    ),
    Contract("handed over", never(span(type="TOOL")).after(HANDOVER), applies_to=HANDOVER),
]
