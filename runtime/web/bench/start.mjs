/** Node 20 reads no TypeScript; Vite, which is here anyway, does. */
import { runnerImport } from "vite";

await runnerImport("./bench/run.ts", { configFile: false, logLevel: "error" });
process.exit(); // Vite's development server keeps something open after it was closed
