import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Everything comes from the server itself, and no script stands in the page: the server's policy allows neither.
export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    outDir: process.env["SQUALL_WEB_OUT"] ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // A style that could not be loaded with its script would never be asked for again.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: {
    proxy: { "/v1": "http://127.0.0.1:9101", "/stream": "http://127.0.0.1:9101", "/auth": "http://127.0.0.1:9101" },
  },
  // Tests read the styles.
  test: { css: true },
});
