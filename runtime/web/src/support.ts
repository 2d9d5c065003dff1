/** A function that makes a 128-bit vector: a module that only a browser with WebAssembly SIMD takes for valid. */
const SIMD_MODULE = [
  [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic number, version
  [1, 5, 1, 0x60, 0, 1, 0x7b], // types: () -> v128
  [3, 2, 1, 0], // functions: one of type 0
  [10, 8, 1, 6, 0, 0x41, 0, 0xfd, 15, 0x0b], // code: i32.const 0, i8x16.splat, end
].flat();

export function hasWasmSimd(): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(SIMD_MODULE));
}
