const ATTEMPTS = 3;
const PAUSE_MS = 1000;

/** An answer that another attempt would not change. */
class Refused extends Error {}

/**
 * Fetch a file and tell how far it is; the size is known from the build, as a compressed response does not say it.
 * A download that was cut continues where it stopped, if the server supports that.
 */
export async function download(
  url: string,
  size: number,
  note: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = new URL(url, location.href).pathname.split("/").pop();
  const content = new Uint8Array(size);
  let loaded = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      await read();
      return content;
    } catch (error) {
      if (error instanceof Refused) throw error;
      if (attempt === ATTEMPTS) {
        throw new Error(
          `${name} could not be loaded: the connection broke after ${loaded} of ${size} bytes (${String(error)}). ` +
            "Check the connection and try again.",
        );
      }
      await new Promise((resume) => setTimeout(resume, PAUSE_MS * attempt));
    }
  }

  async function read(): Promise<void> {
    // Past the HTTP cache: Chromium's joins pieces of its own, and ends too early if the server then ignores a range.
    const rest: RequestInit = { headers: { Range: `bytes=${loaded}-` }, cache: "no-store" };
    const response = await fetch(url, loaded ? rest : {});
    if (!response.ok || !response.body)
      throw new Refused(`${name} could not be loaded: the server said ${response.status}.`);
    if (!response.headers.get("Content-Range")?.startsWith(`bytes ${loaded}-`)) loaded = 0; // from the start again
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (loaded + part.value.length <= size) content.set(part.value, loaded);
      loaded += part.value.length;
      note(loaded);
    }
    if (loaded !== size) throw new Refused(`${name} came with ${loaded} of ${size} bytes. Reload the page.`);
  }
}
