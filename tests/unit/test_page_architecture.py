from __future__ import annotations

from tests.unit.page_architecture import circles, files, imports, wrong_imports

PAGE = files()


def test_folders_of_the_page_import_only_those_below_them() -> None:
    assert wrong_imports(PAGE) == []


def test_no_files_of_the_page_import_each_other_in_a_circle() -> None:
    assert circles(PAGE) == []


def test_every_form_of_an_import_counts() -> None:
    texts = {
        "main.tsx": 'import "./routes";\nimport {\n  a,\n  b,\n} from "./ui/a";',
        "routes.tsx": 'const page = lazy(() => import("./log/b"));',
        "ui/a.ts": 'export type { B } from "../api/c";',
        "log/b.tsx": 'import type { C } from "../api/c";\nimport React from "react";',
        "api/c.ts": "",
    }
    assert imports(texts) == {
        "main.tsx": ["routes.tsx", "ui/a.ts"],
        "routes.tsx": ["log/b.tsx"],
        "ui/a.ts": ["api/c.ts"],
        "log/b.tsx": ["api/c.ts"],
        "api/c.ts": [],
    }
    assert wrong_imports(texts) == circles(texts) == []


def test_an_import_upwards_or_of_another_page_is_told() -> None:
    texts = {
        "api/a.ts": 'import { b } from "../log/b";',
        "log/b.ts": "",
        "history/c.tsx": 'import { d } from "../execution/d";',
        "execution/d.ts": 'import { e } from "../routes";',
        "routes.tsx": "",
        "other/f.ts": 'import { a } from "../api/a";',
    }
    assert wrong_imports(texts) == [
        "api/a.ts imports log/b.ts: api may not import log",
        "history/c.tsx imports execution/d.ts: a page imports no other page",
        "execution/d.ts imports routes.tsx: execution may not import the top",
        "other/f.ts: the folder 'other' has no place in ORDER",
    ]


def test_a_circle_is_told_also_if_it_is_one_of_types_or_lazy() -> None:
    texts = {"a.ts": 'import type { B } from "./b";', "b.ts": 'const a = () => import("./a");'}
    (circle,) = circles(texts)
    assert set(circle.split(" -> ")) == {"a.ts", "b.ts"}
