// Logging in with a name and a password. The token stays in a cookie that no script can read.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, type ReactElement, useState } from "react";
import { login } from "../api/client";
import { useComplaint } from "../ui/complaint";

export function LoginPage(): ReactElement {
  const { to } = useSearch({ strict: false }) as { to?: string };
  const navigate = useNavigate();
  const complaint = useComplaint();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    try {
      await login(String(form.get("user")), String(form.get("password")));
      // Only ways into this page: what stands in the address may come from anybody.
      await navigate({ href: to?.startsWith("/") === true && !to.startsWith("//") ? to : "/executions" });
    } catch (error) {
      complaint.set(error);
      setBusy(false);
    }
  };
  return (
    <section className="login">
      <h1>Log in</h1>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          User
          {/* biome-ignore lint/a11y/noAutofocus: the page has this one purpose */}
          <input name="user" autoComplete="username" required autoFocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        {complaint.text !== "" ? (
          <p className="error" role="alert">
            {complaint.text}
          </p>
        ) : null}
        <button type="submit" className="primary" disabled={busy}>
          Log in
        </button>
      </form>
    </section>
  );
}
