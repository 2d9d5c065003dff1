/** A web server that says nothing of caching, as many do: for what deployments and bad connections bring. */

import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const YESTERDAY = new Date(Date.now() - 86_400_000).toUTCString();

/** What comes of a file before its connection is cut. */
export const PIECE = 400_000;

export class PlainServer {
  /** Folder that each path of the server shows, as "/page/": "dist". */
  folders: Record<string, string>;
  /** The answers to so many of the next requests for an `.onnx` file stop after `PIECE` bytes, until `cut` is called. */
  cuts = 0;
  /** What was asked for, and from which byte on. */
  asked: { path: string; start: number }[] = [];
  private stopped: ServerResponse[] = [];
  private server = createServer((request, response) => this.answer(request, response));

  constructor(folders: Record<string, string>) {
    this.folders = folders;
  }

  /** Listen, and return the address, which ends with a slash. */
  async start(): Promise<string> {
    await new Promise<void>((listening) => this.server.listen(0, "localhost", listening));
    return `http://localhost:${(this.server.address() as AddressInfo).port}/`;
  }

  /** Break the connections of the answers that have stopped. */
  cut(): void {
    for (const response of this.stopped.splice(0)) response.destroy();
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname: path } = new URL(request.url!, "http://localhost");
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    this.asked.push({ path, start });
    const place = Object.keys(this.folders).find((prefix) => path.startsWith(prefix));
    const file = `${this.folders[place!]}/${path.slice(place?.length).replace(/(^|\/)$/, "$1index.html")}`;
    const size = place && statSync(file, { throwIfNoEntry: false })?.size;
    if (!size) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(start ? 206 : 200, {
      "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
      "Content-Length": size - start,
      "Last-Modified": YESTERDAY, // browsers then keep a file for a tenth of its age
      ...(start && { "Content-Range": `bytes ${start}-${size - 1}/${size}` }),
    });
    if (extname(file) !== ".onnx" || this.cuts === 0) {
      createReadStream(file, { start }).pipe(response);
      return;
    }
    this.cuts--;
    this.stopped.push(response);
    createReadStream(file, { start, end: start + PIECE - 1 }).pipe(response, { end: false });
  }
}
