"""What happens to viewers and actions when a keeper or a server dies, stops for a while, or has nothing to do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.scenarios.faults.mortal import mortal_server, with_argument
from tests.scenarios.faults.viewers import Copy, Viewer, check_all

from squall.core.output import journal
from squall.testing.waiting import until

SOURCE = Path(__file__).parents[3] / "src"


def test_the_death_of_a_keeper_ends_its_executions_and_nothing_else(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        token = f"stubborn-{server.mark}"
        writer = server.request("faults.writer", folder=str(copy.folder), seed=3, wait=True, pause=0.005)
        stubborn = server.request("faults.stubborn", token=token)
        viewers = [Viewer(server, writer, copy, 1), Viewer(server, writer, copy, 2, slow=True)]
        with server.output(stubborn) as stream:
            stream.until(b"ready\n")
            until(lambda: copy.size() > 100_000, "the writer prints")
            old = server.keeper()
            old.kill()
            # Streams end by themselves, and say so.
            stream.rest()
        results = [viewer.result() for viewer in viewers]
        for execution in (writer, stubborn):
            document = server.get(f"/v1/executions/{execution}")
            assert document["status"] == "abandoned"
            assert "keeper" in document["result"]["error"]
            assert server.of_action(execution) == []
        assert not [pid for pid in with_argument(token) if pid not in {k.number for k in server.keepers()}]
        # What they have seen is what is stored: the beginning of what was printed.
        assert results[0].at == results[1].at
        assert results[0].order == results[1].order
        for stream_name, count in results[0].at.items():
            reply = server.call("GET", f"/v1/executions/{writer}/output?format=raw&type={stream_name}")
            assert reply.raw == copy.text(stream_name)[:count]
        # The writer may have had its pipes and one turn of the loop full of what nobody will see.
        assert server.get("/healthz")["status"] == "alive"
        again = Copy(server.folder())
        execution = server.request("faults.writer", folder=str(again.folder), seed=4, records=30)
        assert server.ended(execution)["status"] == "succeeded"
        check_all(server, execution, again, [])
        assert server.keeper().number != old.number


def test_a_keeper_that_stands_still_delays_and_loses_nothing(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        execution = server.request("faults.writer", folder=str(copy.folder), seed=5, wait=True, pause=0.001)
        viewer = Viewer(server, execution, copy, 1)
        until(lambda: sum(viewer.seen.at.values()) > 100_000, "the viewer sees something")
        keeper = server.keeper()
        for _ in range(3):
            keeper.signal(signal.SIGSTOP)
            until(lambda: copy.size() - sum(viewer.seen.at.values()) > 200_000, "output piles up in the pipes")
            later = server.shell("echo meanwhile")
            assert server.get(f"/v1/executions/{execution}")["status"] == "running"
            keeper.signal(signal.SIGCONT)
            assert server.ended(later)["result"]["stdout"] == "meanwhile"
        # Also while the server dies and the next one comes.
        keeper.signal(signal.SIGSTOP)
        server.kill()
        server.again()
        # It serves what is new with another keeper, and takes up what runs when the first one goes on.
        assert server.ended(server.shell("echo served"))["result"]["stdout"] == "served"
        assert server.get(f"/v1/executions/{execution}")["status"] == "running"
        keeper.signal(signal.SIGCONT)
        copy.stop()
        check_all(server, execution, copy, [viewer])
        assert server.ended(execution)["status"] == "succeeded"


def test_a_server_that_stands_still_delays_viewers_and_not_actions(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        copy = Copy(server.folder())
        execution = server.request("faults.writer", folder=str(copy.folder), seed=6, wait=True, pause=0.001)
        viewers = [Viewer(server, execution, copy, 1), Viewer(server, execution, copy, 2, slow=True)]
        until(lambda: sum(viewers[0].seen.at.values()) > 100_000, "the viewer sees something")
        for _ in range(2):
            server.signal(signal.SIGSTOP)
            # Far more than pipes hold: only the keeper can have taken it.
            copy.grows(5 << 20, 60)
            server.signal(signal.SIGCONT)
        server.signal(signal.SIGSTOP)
        copy.stop()
        copy.finished()
        server.signal(signal.SIGCONT)
        check_all(server, execution, copy, viewers)
        assert server.ended(execution)["status"] == "succeeded"


def test_a_keeper_without_a_server_and_without_actions_goes(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        execution = server.shell("echo done")
        server.ended(execution)
        keeper = server.keeper()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert keeper.gone()
        server.again()
        assert server.keeper().number != keeper.number
        assert server.get(f"/v1/executions/{execution}")["result"]["stdout"] == "done"


def test_a_keeper_loads_the_standard_library_and_its_own_code_only() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "import squall.adapters.keeper.process.keeper, squall.core.output.masking\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    words = [sys.executable, "-I", "-S", "-E", "-c", program, str(SOURCE)]
    loaded = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    ours = {name for name in loaded if name.partition(".")[0] == "squall"}
    assert {name.partition(".")[0] for name in loaded} - {"squall"} <= sys.stdlib_module_names
    assert all(
        name in ("squall", "squall.core", "squall.adapters", "squall.adapters.durable", "squall.adapters.keeper")
        or name.startswith(("squall.core.", "squall.adapters.keeper."))
        for name in ours
    )
    assert "asyncio" not in loaded
    modules = {name for name in ours if not any(other.startswith(f"{name}.") for other in ours)}
    assert len(modules) <= 27
    assert len(loaded) <= 120


def test_after_a_loss_of_power_what_is_damaged_is_a_gap_and_all_else_is_read(tmp_path: Path, fault_packs: Path) -> None:
    with mortal_server(tmp_path, fault_packs) as server:
        execution = server.shell("echo one; sleep 0.1; echo two; sleep 0.1; echo three; exec sleep 1000")
        with server.output(execution) as stream:
            stream.until(b"three\n")
        server.kill()
        server.keeper().kill()
        # What a loss of power leaves: another boot id from now on, and a page that never reached the disk.
        path = server.data_dir / "journals" / journal.file_name(execution)
        data = bytearray(path.read_bytes())
        other_boot = journal.pack_boot(journal.unpack_header(bytes(data[: journal.HEADER_SIZE])), bytes(16))
        data[: len(other_boot)] = other_boot
        at = data.index(b"two\n")
        data[at : at + 4] = bytes(4)
        path.write_bytes(data)
        server.again()
        assert server.ended(execution)["status"] == "abandoned"
        assert server.call("GET", f"/v1/executions/{execution}/output?format=raw").raw == b"one\nthree\n"
        lines = server.call("GET", f"/v1/executions/{execution}/output?format=ndjson").raw.decode().split("\n")
        told = [json.loads(line) for line in lines if line]
        assert [each.get("data", "gap") for each in told] == ["one\n", "gap", "three\n"], told
