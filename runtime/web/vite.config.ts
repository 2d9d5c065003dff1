import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const WASM = "./node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";

/** Tells the service worker which files there are. */
function listFiles(): Plugin {
  return {
    name: "list-files",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const names = Object.keys(bundle)
          .filter((name) => name !== "sw.js")
          .sort();
        const version = createHash("sha256");
        for (const name of names) {
          const file = bundle[name]!;
          version.update(name).update(file.type === "chunk" ? file.code : file.source);
        }
        const sw = bundle["sw.js"];
        const entry = names.find((name) => /^assets\/index-.*\.js$/.test(name));
        if (sw?.type !== "chunk" || !entry) throw new Error("expected sw.js and the page's script among the files");
        const files = ["./", "favicon.svg", ...names.filter((name) => name !== "index.html")];
        sw.code = sw.code
          .replaceAll("__FILES__", JSON.stringify(files))
          .replaceAll("__ENTRY__", JSON.stringify(entry))
          .replaceAll("__VERSION__", JSON.stringify(version.digest("hex").slice(0, 16)));
      },
    },
  };
}

/** `make web-serve`: files whose names hold their content may be kept for ever; the model file is no text. */
function describeFiles(): Plugin {
  return {
    name: "describe-files",
    configurePreviewServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const { pathname } = new URL(request.url ?? "", "http://localhost");
        if (pathname.startsWith("/assets/")) response.setHeader("Cache-Control", "public, max-age=31536000, immutable");
        if (pathname.endsWith(".onnx")) response.setHeader("Content-Type", "application/octet-stream");
        next();
      });
    },
  };
}

export default defineConfig({
  base: "./", // any folder of any web server
  define: {
    MODEL_BYTES: statSync(path("../../dist/points.onnx")).size,
    WASM_BYTES: statSync(path(WASM)).size,
  },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: path("./index.html"), sw: path("./src/sw.ts") },
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  plugins: [listFiles(), describeFiles()],
  worker: { format: "es" },
  server: { fs: { allow: ["../.."] } }, // the model stands in the repository's dist/
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
