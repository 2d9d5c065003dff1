/** Keeps the page's files, so that it opens again without a network. */

/** What vite.config.ts puts in: the files of this build, its script among them, and a name that changes with them. */
declare const __FILES__: string[];
declare const __ENTRY__: string;
declare const __VERSION__: string;

const worker = self as unknown as ServiceWorkerGlobalScope;

/** An origin's pages share their caches. A path has no space in it, so this page's are told from those of all others. */
const PATH = new URL("./", worker.location.href).pathname;
const OWN = `sketch-page ${PATH} `;
const CACHE = OWN + __VERSION__;

worker.addEventListener("install", (event) => event.waitUntil(keep()));
worker.addEventListener("activate", (event) => event.waitUntil(dropOldBuilds()));
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode !== "navigate") event.respondWith(fromCache(request).catch(() => fetch(request)));
  // The page itself from the server while there is one, so that a new build shows; all else is named by its content.
  else if (isPage(request.url)) event.respondWith(fetch(request).catch(() => fromCache("./")));
});

async function keep(): Promise<void> {
  const cache = await caches.open(CACHE);
  // What is named by its content may come from the HTTP cache; there, the rest may be of the build before.
  await cache.addAll(
    __FILES__.map((file) => (file.startsWith("assets/") ? file : new Request(file, { cache: "reload" }))),
  );
  // In the middle of a deployment the server may still have the page of the build before. The next visit tries again.
  const page = await (await fromCache("./")).text();
  if (!page.includes(__ENTRY__)) throw new Error(`expected a page that loads ${__ENTRY__}`);
}

async function dropOldBuilds(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith(OWN) && name !== CACHE) await caches.delete(name);
  await worker.clients.claim();
}

function isPage(url: string): boolean {
  return new URL(url).pathname.replace(/index\.html$/, "") === PATH;
}

async function fromCache(request: Request | string): Promise<Response> {
  const cache = await caches.open(CACHE);
  // Some servers vary by Origin, which a script's request has and the one that kept it had not.
  const response = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  if (!response) throw new Error("not kept");
  return response;
}
