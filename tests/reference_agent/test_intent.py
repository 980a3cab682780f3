"""What counts as a classification."""

import pytest

from reference_agent.intent import MalformedIntentError, parse_intent


@pytest.mark.parametrize(
    ("reply", "domains", "confidence"),
    [
        ('{"domains": ["COST"], "confidence": 0.9}', ["cost"], 0.9),
        ('{"domains": ["cost", "Cost ", "SECURITY"], "confidence": 1}', ["cost", "security"], 1.0),
        ('{"domains": ["WEATHER", "QUALITY"], "confidence": 0}', ["quality"], 0.0),
        ('{"domains": ["COST"], "confidence": 1.7}', ["cost"], 1.0),
        ('{"domains": ["COST"], "confidence": -1}', ["cost"], 0.0),
        ('Sure:\n```json\n{"domains": ["COST"], "confidence": 0.5}\n```', ["cost"], 0.5),
        ('```\n{"domains": ["COST"], "confidence": 0.5}```', ["cost"], 0.5),
    ],
)
def test_reply_is_read_generously(reply, domains, confidence):
    assert parse_intent(reply) == {"domains": domains, "confidence": confidence}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("", "not JSON"),
        ("COST", "not JSON"),
        ("[]", "expected an object with a list of 'domains'"),
        ('{"domain": "COST", "confidence": 1}', "expected an object with a list of 'domains'"),
        ('{"domains": "COST", "confidence": 1}', "expected an object with a list of 'domains'"),
        ('{"domains": [], "confidence": 1}', "none of"),
        ('{"domains": ["WEATHER"], "confidence": 1}', r"none of \['weather'\] is one of cost, security"),
        ('{"domains": ["COST"]}', "confidence is None"),
        ('{"domains": ["COST"], "confidence": "high"}', "confidence is 'high', not a number from 0 to 1"),
        ('{"domains": ["COST"], "confidence": true}', "confidence is True"),
        ('{"domains": ["COST"], "confidence": NaN}', "confidence is nan"),
        ('{"domains": ["COST"], "confidence": 1e999}', "confidence is inf"),
    ],
)
def test_reply_without_sense_says_what_is_wrong(reply, message):
    with pytest.raises(MalformedIntentError, match=message):
        parse_intent(reply)
