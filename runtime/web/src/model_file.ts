/** What a model file says of itself: its protobuf metadata, checked by the sha256 that it ends with. */

/** Of a drawing, for which a model file has an answer. */
export const MAX_POINTS = 50_000;

const PREFIX = "sketch_infer.";

/** The file ends with the sha256, in hexadecimal, of all bytes before it. */
const DIGITS = 64;

/** ModelProto.metadata_props, and key and value of StringStringEntryProto (onnx.proto). */
const METADATA_PROPS = 14;
const [KEY, VALUE] = [1, 2];

/** Protobuf's wire types, and the sizes of those that have one. */
const [VARINT, BYTES] = [0, 2];
const FIXED_SIZES: Record<number, number> = { 1: 8, 5: 4 };

export type Output = "log_probs" | "logits";
export const OUTPUTS: Output[] = ["log_probs", "logits"];

/** Drawings, x, y and pen of each point, with eager PyTorch's own answers; every array flat, the answers a row a probe. */
export type Probes = { points: Float32Array[] } & Record<Output, Float32Array>;

export type ModelMetadata = {
  labels: string[];
  sequenceLength: number;
  precision: "fp32" | "int8";
  /** Bound on |ONNX - eager| in units of max(1, largest |logit| of the row), as proven at the export. */
  tolerance: number;
  probes: Probes;
  contentSha256: string;
  /** Probability of the likeliest class below which a drawing is probably none of the classes; null if unknown. */
  rejectBelow: number | null;
};

/** Read the metadata of a model file; throws an Error that says what is wrong with it. */
export async function readMetadata(content: Uint8Array): Promise<ModelMetadata> {
  const props = readProps(content);
  const value = (key: string) => {
    const text = props.get(PREFIX + key);
    if (text === undefined) throw new Error(`the model file's metadata lacks ${key}; export it again`);
    return text;
  };
  if (props.get(`${PREFIX}format_version`) !== "1") {
    throw new Error("expected a model file of sketch-export, format version 1; export it again");
  }
  if (props.get(`${PREFIX}input_form`) !== "points") {
    throw new Error("expected a model file that reads pen points; export it with --input points");
  }
  const labels = JSON.parse(value("labels")) as string[];
  const precision = value("precision") as "fp32" | "int8";
  const tolerance = (JSON.parse(value("tolerance")) as Record<string, number>)[precision];
  if (tolerance === undefined) throw new Error(`the model file has no tolerance for ${precision}`);
  const json = JSON.parse(value("probes"));
  const counts = json.counts as number[];
  const ends = counts.map((_, row) => 3 * counts.slice(0, row + 1).reduce((sum, count) => sum + count));
  const points = await decodeArray(json.points.base64, ends.at(-1) ?? 0);
  const probes = {
    points: ends.map((end, row) => points.subarray(ends[row - 1] ?? 0, end)),
    log_probs: await decodeArray(json.log_probs.base64, counts.length * labels.length),
    logits: await decodeArray(json.logits.base64, counts.length * labels.length),
  };
  const sequenceLength = Number(value("sequence_length"));
  const rejectBelow = JSON.parse(props.get(`${PREFIX}reject_below`) ?? "null") as number | null;
  const contentSha256 = value("content_sha256");
  return { labels, sequenceLength, precision, tolerance, probes, contentSha256, rejectBelow };
}

/** Tell whether the content is what was exported; null where the browser offers no sha256 (neither https nor localhost). */
export async function isIntact(content: Uint8Array<ArrayBuffer>): Promise<boolean | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content.subarray(0, -DIGITS)));
  const hexadecimal = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return new TextDecoder().decode(content.subarray(-DIGITS)) === hexadecimal;
}

/** Little-endian float32 values from base64 of zlib, as many as expected. */
async function decodeArray(base64: string, count: number): Promise<Float32Array> {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const view = new DataView(await new Response(stream).arrayBuffer());
  if (view.byteLength !== 4 * count) throw new Error(`expected ${count} probe values, found ${view.byteLength / 4}`);
  return Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
}

/** Read the metadata of an ONNX file, text by key. */
function readProps(content: Uint8Array): Map<string, string> {
  const props = new Map<string, string>();
  const text = new TextDecoder();
  for (const [number, entry] of fields(content)) {
    if (number !== METADATA_PROPS) continue;
    const parts = new Map(fields(entry));
    props.set(text.decode(parts.get(KEY)), text.decode(parts.get(VALUE)));
  }
  return props;
}

/** Number and bytes of each length-delimited field of a protobuf message; the others are passed over. */
function* fields(content: Uint8Array): Generator<[number, Uint8Array]> {
  let position = 0;
  const varint = () => {
    // Multiplied, not shifted: a length above 2^31 must not turn negative.
    for (let value = 0, unit = 1; position < content.length && unit < 2 ** 63; unit *= 128) {
      const byte = content[position++]!;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
    throw new Error("the model file is truncated, or no ONNX file");
  };
  while (position < content.length) {
    const key = varint();
    const [number, type] = [Math.floor(key / 8), key % 8];
    if (type === VARINT) {
      varint();
      continue;
    }
    const size = type === BYTES ? varint() : FIXED_SIZES[type];
    if (size === undefined || position + size > content.length) {
      throw new Error("the model file is truncated, or no ONNX file");
    }
    if (type === BYTES) yield [number, content.subarray(position, position + size)];
    position += size;
  }
}
