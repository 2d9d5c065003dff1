/** Builds the npm package's one module; onnxruntime-web stays a dependency. */

import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    outDir: "npm/dist",
    minify: false,
    target: "es2022",
    lib: { entry: "src/classifier.ts", formats: ["es"], fileName: () => "classifier.js" },
    rollupOptions: { external: ["onnxruntime-web/wasm"] },
  },
});
