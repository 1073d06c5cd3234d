// The history: root executions, newest first, filtered by what the URL says, live.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactElement, useEffect, useRef, useState } from "react";
import { executions, filters, PAGE_SIZE } from "../api/client";
import type { Execution } from "../api/types";
import { useWatch } from "../api/useWatch";
import { Indicator } from "../ui/Indicator";
import { Failure, Notice } from "../ui/Notice";
import { useRefresh } from "../ui/refresh";
import { Status } from "../ui/Status";
import { useShortcuts } from "../ui/shortcuts";
import { clock, duration } from "../ui/time";
import type { HistorySearch } from "./search";

const FILTERS = ["status", "action", "user", "runner"] as const;

export function HistoryPage(): ReactElement {
  const search: HistorySearch = useSearch({ strict: false });
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ["executions", search],
    queryFn: () => executions(search),
    placeholderData: (old) => old,
  });
  const trouble = found.error ?? found.failureReason;
  const connection = useWatch({ events: ["st2.execution__*"], trees: [] }, (events) => {
    if (events.length > 0) refresh();
  });
  const refresh = useRefresh(() => queries.invalidateQueries({ queryKey: ["executions"] }));
  return (
    <>
      <FilterBar search={search} />
      <div className="bar">
        <Indicator indicator={connection.indicator} />
        {found.data !== undefined ? (
          <Paging search={search} total={found.data.total} capped={found.data.capped} />
        ) : null}
      </div>
      {trouble !== null ? <Failure error={trouble} again={() => void found.refetch()} /> : null}
      {found.isPending && trouble === null ? <Notice title="Loading the history …" /> : null}
      {found.data?.items.length === 0 ? <Empty filtered={FILTERS.some((name) => search[name] !== undefined)} /> : null}
      {found.data !== undefined && found.data.items.length > 0 ? <Table items={found.data.items} /> : null}
    </>
  );
}

function FilterBar({ search }: { readonly search: HistorySearch }): ReactElement {
  const navigate = useNavigate();
  const choices = useQuery({ queryKey: ["filters"], queryFn: filters, staleTime: 60_000 });
  const set = (name: string, value: string): void => {
    const { offset: _, ...rest } = search;
    void navigate({ to: "/executions", search: { ...rest, [name]: value === "" ? undefined : value }, replace: true });
  };
  const first = useRef<HTMLInputElement>(null);
  useShortcuts({ "/": () => first.current?.focus() });
  return (
    <form className="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {FILTERS.map((name) => (
        <label key={name}>
          {name}
          <input
            ref={name === "action" ? first : null}
            list={`choices-${name}`}
            value={search[name] ?? ""}
            placeholder="any"
            onChange={(event) => set(name, event.target.value)}
          />
          <datalist id={`choices-${name}`}>
            {(choices.data?.[name] ?? []).map((value) => (
              <option key={value} value={value} />
            ))}
          </datalist>
        </label>
      ))}
    </form>
  );
}

function Paging({
  search,
  total,
  capped,
}: {
  readonly search: HistorySearch;
  readonly total: number;
  readonly capped: boolean;
}): ReactElement {
  const offset = search.offset ?? 0;
  return (
    <>
      <span>
        {total === 0
          ? "none"
          : `${offset + 1} to ${Math.min(offset + PAGE_SIZE, total)} of ${capped ? "more than " : ""}${total}`}
      </span>
      {offset > 0 ? (
        <Link to="/executions" search={{ ...search, offset: Math.max(0, offset - PAGE_SIZE) }}>
          Newer
        </Link>
      ) : null}
      {offset + PAGE_SIZE < total ? (
        <Link to="/executions" search={{ ...search, offset: offset + PAGE_SIZE }}>
          Older
        </Link>
      ) : null}
    </>
  );
}

function Empty({ filtered }: { readonly filtered: boolean }): ReactElement {
  if (filtered) return <Notice title="No execution fits these filters" />;
  return (
    <Notice title="Nothing has run yet">
      <p>
        Start something: <code>squall run examples.countdown</code>
      </p>
    </Notice>
  );
}

function Table({ items }: { readonly items: readonly Execution[] }): ReactElement {
  const now = useNow();
  return (
    <table className="history">
      <caption className="visually-hidden">Executions, newest first</caption>
      <thead>
        <tr>
          <th scope="col">status</th>
          <th scope="col">action</th>
          <th scope="col">started</th>
          <th scope="col">took</th>
          <th scope="col" className="wide">
            user
          </th>
          <th scope="col" className="wide">
            parameters
          </th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <tr key={item.id}>
            <td>
              <Status status={item.status} />
            </td>
            <td>
              <Link to="/executions/$id" params={{ id: item.id }}>
                {item.action.ref}
              </Link>
            </td>
            <td>{clock(item.start_timestamp, now)}</td>
            <td>
              {duration((item.elapsed_seconds ?? (now.getTime() - Date.parse(item.start_timestamp)) / 1000) * 1000)}
            </td>
            <td className="wide">{item.context?.user}</td>
            <td className="wide">{JSON.stringify(item.parameters ?? {}).slice(0, 120)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(new Date()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}
