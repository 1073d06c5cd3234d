import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { Early } from "./log/early";
import { makeRouter } from "./routes";
import "./theme.css";
import { applyTheme, storedTheme } from "./ui/theme";

applyTheme(storedTheme());

/** Whoever is not known (any more) logs in, and comes back to where they were. */
function loginFirst(error: unknown): void {
  const { pathname, search, hash } = window.location;
  if (!(error instanceof ApiError) || error.status !== 401 || pathname === "/login") return;
  void router.navigate({ to: "/login", search: { to: pathname + search + hash } });
}

const queries = new QueryClient({
  queryCache: new QueryCache({ onError: loginFirst }),
  mutationCache: new MutationCache({ onError: loginFirst }),
  defaultOptions: {
    queries: {
      // What the server refuses it refuses again; only a lost connection is worth another try.
      retry: (count, error) => !(error instanceof ApiError && error.status < 500) && count < 3,
      refetchOnWindowFocus: false,
      staleTime: 5_000,
    },
  },
});

const router = makeRouter({ queries, early: new Early() });

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
