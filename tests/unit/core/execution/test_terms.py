from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.execution.terms import Term, advanced_terms


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("status:failed", Term("status", value="failed")),
        ("parent:null", Term("parent")),
        ("context.user:ada", Term("user", value="ada")),
        ("parameters.cmd:a:b", Term("parameters", ("cmd",), "a:b")),
        ("liveaction.parameters.a.b:1", Term("parameters", ("a", "b"), "1")),
        ("liveaction.runner_info.hostname:h", Term("runner_info", ("hostname",), "h")),
        ("action.pack:core", Term("action_document", ("pack",), "core")),
        ("workflow_execution:x", Term("context", ("orquesta", "workflow_execution_id"), "x")),
        ("rule.name:x", Term("rule", (), "x")),
        ("delay:1500", Term("delay", between=(1500, 1500))),
        ("delay:Null", Term("delay")),
        ("start_timestamp:1970-01-01T00:00:01Z", Term("start", between=(1_000_000, 1_000_000))),
        ("end_timestamp:1970-01-01..1970-01-02", Term("end", between=(0, 86_400_000_000))),
    ],
)
def test_a_path_leads_to_a_stored_value(text: str, term: Term) -> None:
    (found,) = advanced_terms(text).values()
    assert found == term


def test_terms_are_separated_by_spaces_and_of_a_path_the_last_one_counts() -> None:
    terms = advanced_terms("  status:failed  parent:null status:succeeded ")
    assert terms == {"status": Term("status", value="succeeded"), "parent": Term("parent")}
    assert advanced_terms("") == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("failed", 'invalid format for filter "failed"'),
        (":x", "invalid format"),
        ("nosuch:x", 'Cannot resolve field "nosuch"; use one of action.ref, action.…'),
        ("status.log:x", "Cannot resolve field"),
        ("parameters.:x", "Cannot resolve field"),
        ('context."a:x', "Cannot resolve field"),
        ("delay:-1", "is not a number"),
        ("delay:²", "is not a number"),
        ("end_timestamp:soon", "Datetime value does not match expected format"),
    ],
)
def test_what_cannot_be_resolved_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidError, match=complaint.replace(".", r"\.")):
        advanced_terms(text)
