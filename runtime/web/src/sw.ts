/** Keeps the page's files, so that it opens again without a network. */

/** Every file of this build, and a name that changes with them: vite.config.ts puts both in. */
declare const __FILES__: string[];
declare const __VERSION__: string;

const worker = self as unknown as ServiceWorkerGlobalScope;

worker.addEventListener("install", (event) => {
  event.waitUntil(caches.open(__VERSION__).then((cache) => cache.addAll(__FILES__)));
});

worker.addEventListener("activate", (event) => {
  const drop = async () => {
    for (const name of await caches.keys()) if (name !== __VERSION__) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(drop());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  // The page itself from the server while there is one, so that a new build shows; all else is named by its content.
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => fromCache("./")));
  else event.respondWith(fromCache(request).catch(() => fetch(request)));
});

async function fromCache(request: Request | string): Promise<Response> {
  // Some servers vary by Origin, which a script's request has and the one that kept it had not.
  const response = await caches.match(request, { ignoreSearch: true, ignoreVary: true });
  if (!response) throw new Error("not kept");
  return response;
}
