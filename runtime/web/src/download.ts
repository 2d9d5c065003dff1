/** Fetch a file and tell how far it is; the size is known from the build, as a compressed response does not say it. */
export async function download(
  url: string,
  size: number,
  note: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = new URL(url, location.href).pathname.split("/").pop();
  const response = await fetch(url).catch((error: unknown) => {
    throw new Error(`${name} could not be loaded (${String(error)}). Check the connection and reload the page.`);
  });
  if (!response.ok || !response.body)
    throw new Error(`${name} could not be loaded: the server said ${response.status}.`);
  const content = new Uint8Array(size);
  const reader = response.body.getReader();
  let loaded = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (loaded + part.value.length <= size) content.set(part.value, loaded);
    loaded += part.value.length;
    note(loaded);
  }
  if (loaded !== size) throw new Error(`${name} came with ${loaded} of ${size} bytes. Reload the page.`);
  return content;
}
