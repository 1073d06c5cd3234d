"""Outputs by line over HTTP: ranges of lines, the last ones, searches, sums, and what is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from backports.zstd import decompress
from tests.scenarios.live.server import Server
from tests.scenarios.live.wire import Reply

PRINTS = "for i in $(seq 1 300); do echo line $i; done; echo oops 7 >&2; printf 'no end'"


@pytest.fixture(scope="module")
def printed(plain_server: Server) -> str:
    execution = plain_server.shell(PRINTS)
    plain_server.ended(execution)
    return execution


@pytest.fixture(scope="module")
def family(plain_server: Server) -> tuple[str, str]:
    """A root and its child, which has a task's name; both have printed."""
    with plain_server.puppet() as (root, strings), plain_server.output(root) as stream:
        strings.say(b"root before\n")
        stream.until(b"before\n")
        body = {
            "action": "core.local",
            "parameters": {"cmd": "echo child error; echo child two"},
            "context": {"parent": {"execution_id": root}, "orquesta": {"task_name": "t1"}},
        }
        child = str(plain_server.call("POST", "/v1/executions", body).json["id"])
        plain_server.ended(child)
        strings.say(b"root after\n")
    return root, child


def ask(server: Server, execution: str, query: str, **headers: str) -> Reply:
    return server.call("GET", f"/v1/executions/{execution}/output?{query}", headers=headers)


def objects(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply
    return [json.loads(line) for line in reply.raw.splitlines()]


def test_lines_are_given_by_their_numbers(plain_server: Server, printed: str) -> None:
    assert ask(plain_server, printed, "from_line=299&to_line=300").raw == b"line 299\nline 300\n"
    last = objects(ask(plain_server, printed, "from_line=300&format=ndjson"))
    told = [(each["line"], each["output_type"], each["data"], each["complete"]) for each in last]
    assert told[0] == (300, "stdout", "line 300", True)
    # Which of the two began first is the pipes' matter; the one that has a newline is complete first.
    assert sorted(each[0] for each in told[1:]) == [301, 302]
    assert {each[1:] for each in told[1:]} == {("stderr", "oops 7", True), ("stdout", "no end", False)}


def test_the_last_lines_and_pages_of_lines(plain_server: Server, printed: str) -> None:
    assert ask(plain_server, printed, "tail=2&stream=stdout").raw == b"line 300\nno end"
    assert ask(plain_server, printed, "tail=0").raw == b""
    first = objects(ask(plain_server, printed, "limit=3&format=ndjson"))
    assert [each["line"] for each in first] == [1, 2, 3]
    assert ask(plain_server, printed, "limit=2&from_line=10").raw == b"line 10\nline 11\n"


def test_behind_a_line_the_next_one_follows_although_one_write_printed_both(plain_server: Server) -> None:
    execution = plain_server.shell("printf 'one\\ntwo\\nthree\\n'; sleep 0.05; echo four")
    plain_server.ended(execution)
    lines: list[str] = []
    after = ""
    while page := objects(ask(plain_server, execution, f"limit=1&format=ndjson{after}")):
        lines += [line["data"] for line in page]
        after = f"&after=line-{page[0]['line']}"
    assert lines == ["one", "two", "three", "four"]


def test_matches_have_lines_around_them(plain_server: Server, printed: str) -> None:
    found = ask(plain_server, printed, "grep=line+1(5%7C9)0&context=1").raw
    assert found == b"line 149\nline 150\nline 151\n--\nline 189\nline 190\nline 191\n"


@pytest.mark.parametrize("form", ["text", "raw"])
def test_searching_is_by_expression_by_text_and_in_any_case(plain_server: Server, printed: str, form: str) -> None:
    def found(query: str) -> bytes:
        return ask(plain_server, printed, f"{query}&format={form}").raw

    assert found("grep=%5Eoops+%5Cd%24") == b"oops 7\n"
    assert found("grep=OOPS") == b""
    assert found("grep=OOPS&ignore_case=true") == b"oops 7\n"
    assert found("grep=s+.&fixed=true") == b""
    assert found("grep=oops&stream=stdout") == b""
    assert found("grep=line+2%5B05%5D%24&since=1h") == b"line 20\nline 25\n"
    assert found("grep=line&until=1h") == b""


def test_a_search_is_paged_forwards_and_backwards_and_counted(plain_server: Server, printed: str) -> None:
    def page(query: str) -> dict[str, Any]:
        found: dict[str, Any] = plain_server.get(f"/v1/executions/{printed}/output/search?pattern=line.*7&{query}")
        return found

    first = page("limit=2&context=1")
    assert [(each["line"], each.get("match", False)) for each in first["lines"]] == [
        (6, False), (7, True), (8, False), (16, False), (17, True), (18, False),
    ]  # fmt: skip
    assert first["lines"][1].keys() >= {"execution_id", "position", "timestamp", "data"}
    assert [each["line"] for each in page(f"limit=2&from_line={first['resume']}")["lines"]] == [27, 37]
    back = page("limit=1&backwards=true&to_line=36")
    assert ([each["line"] for each in back["lines"]], back["resume"]) == ([27], 26)
    assert page("count=true")["count"] == 57


def rows(server: Server, execution: str, query: str) -> tuple[list[tuple[int, str]], int]:
    reply = server.call("GET", f"/v1/executions/{execution}/output/rows?{query}")
    assert reply.status == 200, reply
    return [(each["row"], each["data"]) for each in reply.json["rows"]], reply.json["total"]


def test_rows_count_what_is_asked_for_only(plain_server: Server, printed: str) -> None:
    assert rows(plain_server, printed, "from_row=2&to_row=3") == ([(2, "line 2"), (3, "line 3")], 302)
    assert rows(plain_server, printed, "from_row=0&to_row=0&stream=stderr") == ([(1, "oops 7")], 1)
    assert rows(plain_server, printed, "from_row=-1&to_row=0&stream=stdout") == (
        [(300, "line 300"), (301, "no end")], 301,
    )  # fmt: skip
    answer = plain_server.call(
        "GET", f"/v1/executions/{printed}/output/search?pattern=^&match_stream=stderr&rows=true&limit=5"
    )
    (row,) = answer.json["rows"]
    assert rows(plain_server, printed, f"from_row={row}&to_row={row}")[0] == [(row, "oops 7")]
    assert rows(plain_server, printed, "from_row=900&to_row=901") == ([], 302)
    assert len(rows(plain_server, printed, "")[0]) == 200
    reply = plain_server.call(
        "GET", f"/v1/executions/{printed}/output/rows?from_row=7&to_row=7&line_bytes=4&tree=false"
    )
    (row,) = reply.json["rows"]
    assert (row["data"], row["left_out"], row["line"], row["complete"]) == ("line", 2, 7, True)


def test_rows_of_a_family_are_those_of_all_in_their_order(plain_server: Server, family: tuple[str, str]) -> None:
    root, child = family
    reply = plain_server.call("GET", f"/v1/executions/{root}/output/rows?from_row=1&to_row=9")
    told = [
        (each["row"], each["line"], each["execution_id"], each["task"], each["data"]) for each in reply.json["rows"]
    ]
    assert told == [
        (1, None, root, None, "root before"),
        (2, None, child, "t1", "child error"),
        (3, None, child, "t1", "child two"),
        (4, None, root, None, "root after"),
    ]
    assert rows(plain_server, root, "from_row=2&to_row=2&tree=false") == ([(2, "root after")], 2)
    found = plain_server.call("GET", f"/v1/executions/{root}/output/search?pattern=two|after&rows=true")
    assert found.json["rows"] == [3, 4]
    found = plain_server.call("GET", f"/v1/executions/{root}/output/search?pattern=o&rows=true&limit=1&backwards=true")
    assert (found.json["rows"], found.json["resume"]) == ([4], 3)
    refused = plain_server.call("GET", f"/v1/executions/{child}/output/rows?tree=true")
    assert refused.status == 400
    assert root in refused.json["faultstring"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("from_row=1&to_row=1001", "to_row"),
        ("from_row=0&to_row=1", "to_row"),
        ("from_row=1&to_row=1&line_bytes=0", "line_bytes"),
        ("from_row=x", "from_row"),
        ("tree=perhaps", "tree"),
    ],
)
def test_rows_that_cannot_be_given_are_refused_by_name(
    plain_server: Server, printed: str, query: str, named: str
) -> None:
    refused = plain_server.call("GET", f"/v1/executions/{printed}/output/rows?{query}")
    assert refused.status == 400
    assert named in refused.json["faultstring"]


def test_long_lines_of_one_stream_are_all_given(plain_server: Server) -> None:
    execution = plain_server.shell("for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero | tr '\\0' $i; echo; done")
    plain_server.ended(execution)
    found = objects(ask(plain_server, execution, "from_line=1&stream=stdout&format=ndjson"))
    assert [(each["data"][:1], len(each["data"])) for each in found] == [(str(at), 1_000_000) for at in range(1, 9)]
    assert len(rows(plain_server, execution, "from_row=1&to_row=8&line_bytes=100")[0]) == 8


def test_a_whole_tree_is_given_line_by_line_with_no_bound(plain_server: Server) -> None:
    with plain_server.puppet() as (root, strings):
        body = {
            "action": "core.local",
            "parameters": {"cmd": "seq 1 15000"},
            "context": {"parent": {"execution_id": root}, "orquesta": {"task_name": "t1"}},
        }
        child = str(plain_server.call("POST", "/v1/executions", body).json["id"])
        plain_server.ended(child)
        strings.say(b"root after\n")
    plain_server.ended(root)
    found = objects(ask(plain_server, root, "timestamps=true&format=ndjson&follow=false"))
    assert [each["data"] for each in found] == [*map(str, range(1, 15_001)), "root after"]
    assert [each["line"] for each in found] == [*range(1, 15_001), 1]
    since = found[-1]["timestamp"]
    late = objects(ask(plain_server, root, f"since={since}&format=ndjson&follow=false"))
    assert (late[-1]["data"], late[-1]["line"]) == ("root after", None)
    assert objects(ask(plain_server, root, f"until={found[0]['timestamp']}&format=ndjson&follow=false")) == []
    assert objects(ask(plain_server, root, f"since={since}&until={since}&format=ndjson&follow=false")) == []


def test_who_follows_a_tree_since_a_time_sees_the_rest_of_an_open_line(plain_server: Server) -> None:
    with plain_server.puppet() as (root, strings):
        body = {
            "action": "core.local",
            "parameters": {"cmd": "echo child"},
            "context": {"parent": {"execution_id": root}, "orquesta": {"task_name": "t1"}},
        }
        plain_server.ended(str(plain_server.call("POST", "/v1/executions", body).json["id"]))
        strings.say(b"whole\npart")
        with plain_server.output(root, since="1h") as stream:
            seen = stream.until(b"part")
            strings.say(b"ial\nend\n")
            seen += stream.until(b"end\n")
    assert seen == b"child\nwhole\npartial\nend\n"


def test_text_has_times_when_it_is_asked_for(plain_server: Server, printed: str) -> None:
    lines = ask(plain_server, printed, "timestamps=true&to_line=2").raw.decode().splitlines()
    times = [each["timestamp"] for each in objects(ask(plain_server, printed, "to_line=2&format=ndjson"))]
    assert lines == [f"{times[0]} line 1", f"{times[1]} line 2"]


@pytest.mark.parametrize("query", ["", "&format=raw", "&timestamps=true", "&format=ndjson&from_line=1"])
def test_a_file_is_what_there_is_compressed(plain_server: Server, printed: str, query: str) -> None:
    plain = ask(plain_server, printed, f"follow=false{query}")
    packed = ask(plain_server, printed, f"follow=false&compression=gzip{query}")
    assert packed.headers.get("content-encoding") is None
    assert packed.headers["content-type"] == "application/gzip"
    assert gzip.decompress(packed.raw) == plain.raw
    again = ask(plain_server, printed, f"follow=false&compression=zstd{query}", Range="bytes=0-1")
    assert decompress(again.raw) == plain.raw


def test_sums_say_what_there_is(plain_server: Server, printed: str) -> None:
    stats = plain_server.get(f"/v1/executions/{printed}/output/stats")
    size = sum(len(f"line {number}\n") for number in range(1, 301)) + len("no end")
    assert stats["streams"] == {"stdout": {"bytes": size, "lines": 301}, "stderr": {"bytes": 7, "lines": 1}}
    assert (stats["bytes"], stats["lines"], stats["masked"]) == (size + 7, 302, 0)
    assert stats["gaps"] == {"count": 0, "bytes": 0, "after_lines": []}
    for position in (stats["first_position"], stats["last_position"]):
        assert ask(plain_server, printed, f"after={position}&follow=false").status == 200
    assert stats["last_output"] >= stats["first_output"]
    nothing = plain_server.shell("true")
    plain_server.ended(nothing)
    silent = plain_server.get(f"/v1/executions/{nothing}/output/stats")
    assert (silent["bytes"], silent["lines"], silent["last_output"], silent["hash"]) == (0, 0, None, None)


def test_records_of_a_family_say_whose_they_are(plain_server: Server, family: tuple[str, str]) -> None:
    root, child = family
    records = objects(ask(plain_server, root, "format=ndjson"))
    told = {(each["execution_id"], each["task"], each["depth"]) for each in records}
    assert told == {(root, None, 0), (child, "t1", 1)}
    assert [each["depth"] for each in objects(ask(plain_server, child, "format=ndjson"))] == [0] * len(
        [each for each in records if each["depth"]]
    )


@pytest.mark.parametrize(
    ("query", "whose"),
    [("task=t1", "child"), ("task=other", ""), ("action=core.local", "child"), ("depth=0", "root"),
     ("depth=1", "both"), ("tree=false", "root"), ("tree=true", "both"), ("stream=stderr", "")],
)  # fmt: skip
def test_a_family_is_filtered_in_every_form(
    plain_server: Server, family: tuple[str, str], query: str, whose: str
) -> None:
    root, _ = family
    shown = {
        "child": b"child error\nchild two\n",
        "root": b"root before\nroot after\n",
        "both": b"root before\nchild error\nchild two\nroot after\n",
        "": b"",
    }[whose]
    for form in ("text", "raw"):
        assert ask(plain_server, root, f"{query}&format={form}").raw == shown
        assert ask(plain_server, root, f"{query}&format={form}&tail=100").raw == shown
    for form in ("ndjson", "sse"):
        raw = ask(plain_server, root, f"{query}&format={form}").raw
        assert [text in raw for text in (b"child two", b"root after")] == [
            text in shown for text in (b"child two", b"root after")
        ]
    assert ask(plain_server, root, f"{query}&grep=error").raw == (b"child error\n" if b"child" in shown else b"")


def test_one_execution_of_a_family_is_named(plain_server: Server, family: tuple[str, str]) -> None:
    root, child = family
    assert ask(plain_server, root, f"execution={child}&from_line=2").raw == b"child two\n"
    assert ask(plain_server, root, "from_line=2").raw == b"root after\n"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("from_line=0", "from_line"), ("from_line=x", "from_line"), ("from_line=1000", "from_line"),
        ("to_line=-1", "to_line"), ("tail=-1", "tail"), ("tail=1000000", "tail"), ("limit=1000000", "limit"),
        ("limit=0", "limit"), ("since=yesterday", "since"), ("until=x", "until"), ("grep=", "grep"), ("grep=(", "grep"),
        ("grep=(a{900}){900}", "grep"), ("grep=a&context=100000", "context"), ("depth=-1", "depth"),
        ("lag=perhaps", "lag"), ("lag=skip&lag_mib=-1", "lag_mib"), ("tail=5&after=f-7", "after"),
        ("execution=ffffffffffffffffffffffff", "ffffffffffffffffffffffff"), ("grep=" + "a" * 20_000, "grep"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_by_name(plain_server: Server, printed: str, query: str, named: str) -> None:
    reply = ask(plain_server, printed, query.replace(" ", "%20"))
    assert (reply.status in (400, 404), named in reply.fault) == (True, True), reply


def test_any_part_of_the_bytes_is_a_range(plain_server: Server, printed: str) -> None:
    whole = ask(plain_server, printed, "format=raw&stream=stdout")
    assert whole.headers["accept-ranges"] == "bytes"
    end = len(whole.raw) - 1
    for header, first, last in (("0-9", 0, 9), ("5-", 5, end), ("-8", end - 7, end), ("0-99999", 0, end)):
        part = ask(plain_server, printed, "format=raw&stream=stdout", Range=f"bytes={header}")
        assert (part.status, part.raw) == (206, whole.raw[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(whole.raw)}"
    beyond = ask(plain_server, printed, "format=raw&stream=stdout", Range="bytes=99999-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.raw)}")
    for ignored in ("lines=1-2", "bytes=9-2", "bytes=a-b", "bytes=0-1,3-4"):
        assert ask(plain_server, printed, "format=raw&stream=stdout", Range=ignored).raw == whole.raw
    conditional = ask(plain_server, printed, "format=raw", Range="bytes=0-1", **{"If-Range": '"x"'})
    assert conditional.status == 200


def test_a_range_of_what_still_grows_does_not_tell_the_total(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings), plain_server.output(execution) as stream:
        strings.say(b"0123456789")
        stream.until(b"0123456789")
        part = ask(plain_server, execution, "format=raw", Range="bytes=2-4")
        assert (part.status, part.raw, part.headers["content-range"]) == (206, b"234", "bytes 2-4/*")


def test_answers_are_compressed_for_who_takes_it(plain_server: Server, printed: str) -> None:
    plain = ask(plain_server, printed, "").raw
    zipped = ask(plain_server, printed, "", **{"Accept-Encoding": "gzip, deflate"})
    assert (zipped.headers["content-encoding"], gzip.decompress(zipped.raw)) == ("gzip", plain)
    small = ask(plain_server, printed, "", **{"Accept-Encoding": "gzip;q=0.5, zstd"})
    assert (small.headers["content-encoding"], decompress(small.raw)) == ("zstd", plain)
    none = ask(plain_server, printed, "", **{"Accept-Encoding": "br, gzip;q=0"})
    assert ("content-encoding" in none.headers, none.raw) == (False, plain)
    page = ask(plain_server, printed, "from_line=1&to_line=2", **{"Accept-Encoding": "gzip"})
    assert gzip.decompress(page.raw) == b"line 1\nline 2\n"


def test_the_last_lines_go_over_into_what_follows(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        with plain_server.output(execution) as stream:
            strings.say(b"one\ntwo\nthr")
            stream.until(b"thr")
        with (
            plain_server.output(execution, tail=2) as text,
            plain_server.output(execution, tail=2, format="sse") as sse,
        ):
            assert text.until(b"thr") == b"two\nthr"
            events = sse.events()
            found = [(event.body["line"], event.body["data"]) for event in [next(events)]]
            strings.say(b"ee\nfour\n")
            assert text.until(b"four\n") == b"ee\nfour\n"
            for event in events:
                found.append((event.body["line"], event.body["data"]))
                if event.body["line"] == 4:
                    break
            assert found == [(2, "two"), (3, "three"), (4, "four")]


def test_who_comes_back_to_lines_sees_each_once(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings):
        ids: list[str] = []
        numbers: list[int] = []
        with plain_server.output(execution, from_line=1, format="sse") as stream:
            strings.say(b"1\n2\n3\n4")
            for event in stream.events():
                numbers.append(event.body["line"])
                ids.append(event.id)
                if len(numbers) == 2:
                    break
        strings.say(b"4\n5\n")
        with plain_server.output(execution, last_event_id=ids[-1], from_line=1, format="sse") as stream:
            for event in stream.events():
                numbers.append(event.body["line"])
                if len(numbers) == 5:
                    break
    assert numbers == [1, 2, 3, 4, 5]


def test_a_live_search_tells_only_what_matches(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, strings), plain_server.output(execution, grep="err") as stream:
        strings.say(b"fine\nan er")
        strings.say(b"ror\nfine\nlast err")
        assert stream.until(b"\n") == b"an error\n"
        strings.end()
        assert stream.rest() == b"last err"
