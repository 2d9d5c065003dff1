/** The npm package as a project has it after `npm install`. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./browser";

/** Build, pack and install into an empty project, without asking a registry; returns its folder and the package's size. */
export function installPacked(): { folder: string; size: number } {
  execFileSync("npm", ["run", "--silent", "build:library"], { cwd: ROOT });
  const folder = mkdtempSync(join(tmpdir(), "sketch-infer-npm-"));
  const listed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: join(ROOT, "npm") });
  const [{ filename, size }] = JSON.parse(listed.toString());
  execFileSync("tar", ["xzf", filename], { cwd: folder });
  mkdirSync(join(folder, "node_modules"));
  cpSync(join(folder, "package"), join(folder, "node_modules", "sketch-infer"), { recursive: true });
  symlinkSync(`${ROOT}node_modules/onnxruntime-web`, join(folder, "node_modules", "onnxruntime-web"));
  return { folder, size };
}
