import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { isWorthAnotherTry, waitBeforeRetry } from "./api/recovery";
import { Early } from "./log/early";
import { OutputRows } from "./log/remote";
import { Shelf } from "./log/shelf";
import { loadPages, makeRouter } from "./routes";
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
      // What was not reached is asked for until it is.
      retry: (_, error) => isWorthAnotherTry(error),
      retryDelay: waitBeforeRetry,
      refetchOnWindowFocus: false,
      staleTime: 5_000,
    },
  },
});

const early = new Early();
// The end of a log may have been asked for before its page was here.
const shelf = new Shelf((output) => new OutputRows(output, (url) => early.take(url)));
const router = makeRouter({ queries, early, shelf });

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

// When the first page is here and there is nothing else to do.
window.addEventListener("load", () => window.setTimeout(loadPages, 2_000));
