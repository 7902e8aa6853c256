"""What statuses and error bodies mean, in the words of real services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataengine.errors import Stopped
from dataengine.inference.failures import BadRequest, Failure, KeyRefused, message_of, reply_of, retry_after, whole_text

OPENAI_429 = (
    "Rate limit reached for gpt-3.5-turbo in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1. You can increase "
    "your rate limit by adding a payment method to your account at https://platform.openai.com/account/billing."
)


def said(status: int, error: Any) -> dict:
    return reply_of(status, {}, json.dumps({"error": error}).encode())


def test_a_rate_limit_whose_text_names_the_page_for_billing_is_a_rate_limit() -> None:
    with pytest.raises(Failure, match="Rate limit") as failure:
        said(429, {"message": OPENAI_429, "type": "requests", "code": "rate_limit_exceeded"})
    assert failure.value.overloaded


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "You exceeded your current quota", "type": "insufficient_quota"}),
        (429, {"message": "Your account is not active", "code": "billing_not_active"}),
        (400, {"message": "Billing hard limit has been reached", "code": "billing_hard_limit_reached"}),
        (400, {"message": "Your credit balance is too low to access the API", "type": "invalid_request_error"}),
        (429, {"message": "RateLimitError: {'code': 'insufficient_quota'}", "code": "429"}),
        (402, {"message": "Insufficient Balance"}),
    ],
)
def test_an_account_without_credit_is_known_by_its_code(status: int, error: dict) -> None:
    with pytest.raises(Stopped, match="no credit left"):
        said(status, error)


def test_words_of_refusal_in_a_400_leave_it_in_doubt() -> None:
    with pytest.raises(BadRequest, match="safety_settings"):
        said(400, {"message": 'Unknown name "safety_settings": Cannot find field.'})


def test_a_403_is_about_the_key_unless_its_code_says_that_it_is_about_the_prompt() -> None:
    with pytest.raises(KeyRefused):
        said(403, {"message": "Your account was flagged for unusual activity"})
    with pytest.raises(BadRequest):
        said(403, {"message": "Blocked", "code": "content_filter"})
    with pytest.raises(BadRequest):
        said(403, {"message": "Your input was flagged", "code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "..."}})


@pytest.mark.parametrize("status", [200, 500])
def test_json_nested_without_end_is_a_failure_of_the_server(status: int) -> None:
    with pytest.raises(Failure):
        reply_of(status, {}, b"[" * 200_000)


@pytest.mark.parametrize("day", ["Fri, 31 Dec 99999999999999999999 23:59:59 GMT", "Fri, 31 Dec 2030 23:59:59 +99999999999999999999"])
def test_a_date_that_no_calendar_holds_asks_for_no_rest(day: str) -> None:
    assert retry_after({"Retry-After": day}) == 0.0


@pytest.mark.parametrize("rest", ["1e300", "inf", "Wed, 21 Oct 9999 07:28:00 GMT"])
def test_a_rest_without_end_is_a_year(rest: str) -> None:
    assert retry_after({"Retry-After": rest}) == 366 * 86_400


def test_half_a_character_can_be_written_to_a_file() -> None:
    assert whole_text("\ud83d\ude00") == "😀"
    assert whole_text("a\ud83db\ude00") == "a�b�"
    assert whole_text("\ufeffGröße 😀") == "\ufeffGröße 😀"
    assert message_of(b'{"error": {"message": "no \\ud83d"}}') == "no �"


def test_what_a_server_says_does_nothing_to_a_terminal() -> None:
    assert message_of(b"no \x1b[2J\x00 way\r\n out \xe4\xb8\xad") == "no [2J way out 中"
