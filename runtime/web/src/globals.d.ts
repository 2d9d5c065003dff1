/** Sizes of what the worker loads, put in by vite.config.ts. */
declare const MODEL_BYTES: number;
declare const WASM_BYTES: number;
