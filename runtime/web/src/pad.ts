/** The drawing area: pointers and keys in, pen lines out. */

type Line = [x: number, y: number][];
export type Drawing = Line[];

/** Units along a side, whatever its size on the screen, so that a resized page keeps its drawing. */
const SIDE = 1000;
const LINE_WIDTH = 11;
const [KEY_STEP, FINE_KEY_STEP] = [25, 5];
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class Pad {
  private drawing: Drawing = [];
  private history: Drawing[] = [];
  private pointer: number | null = null;
  /** Where the keyboard's pen is; null until a key moves it. */
  private cursor: [number, number] | null = null;
  private cursorDown = false;
  private scheduled = false;

  /** `changed` gets the drawing after each change; `finished` says that the pen is up. */
  constructor(
    private canvas: HTMLCanvasElement,
    private changed: (drawing: Drawing, finished: boolean) => void,
  ) {
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const type of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(type, (event) => this.up(event));
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.hideCursor());
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  get canUndo(): boolean {
    return this.history.length > 0;
  }

  /** Take back the last line, or the last clearing. */
  undo(): void {
    if (this.pointer !== null || !this.history.length) return;
    this.drawing = this.history.pop()!;
    this.cursorDown = false;
    this.change(true);
  }

  clear(): void {
    if (this.pointer !== null || !this.drawing.length) return;
    this.history.push(this.drawing);
    this.drawing = [];
    this.cursorDown = false;
    this.change(true);
  }

  /** Say what is drawn, again: the network is ready only now. */
  announce(): void {
    this.changed(this.drawing, this.pointer === null && !this.cursorDown);
  }

  private down(event: PointerEvent): void {
    if (this.pointer !== null || event.button !== 0) return; // a second finger, a palm, another button
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.hideCursor();
    this.startLine(...this.at(event));
  }

  private move(event: PointerEvent): void {
    if (event.pointerId !== this.pointer) return;
    // A pen samples several times a frame; the browser hands out all of it only when asked.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const sample of events.length ? events : [event]) this.addPoint(...this.at(sample));
    this.change(false);
  }

  private up(event: PointerEvent): void {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.change(true);
  }

  private key(event: KeyboardEvent): void {
    const direction = ARROWS[event.key];
    if ((!direction && event.key !== " ") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // or the page would scroll
    if (this.pointer !== null) return;
    this.cursor ??= [SIDE / 2, SIDE / 2];
    if (direction) {
      const step = event.shiftKey ? FINE_KEY_STEP : KEY_STEP;
      this.cursor = [0, 1].map((axis) => clamp(this.cursor![axis]! + direction[axis]! * step)) as [number, number];
      if (this.cursorDown) this.addPoint(...this.cursor);
    } else {
      this.cursorDown = !this.cursorDown;
      if (this.cursorDown) this.startLine(...this.cursor);
    }
    this.change(!this.cursorDown);
  }

  private hideCursor(): void {
    const wasDown = this.cursorDown;
    this.cursor = null;
    this.cursorDown = false;
    if (wasDown) this.change(true);
    else this.redraw();
  }

  private at(event: PointerEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * (SIDE / box.width), (event.clientY - box.top) * (SIDE / box.height)];
  }

  private startLine(x: number, y: number): void {
    this.history.push(this.drawing);
    this.drawing = [...this.drawing, [[x, y]]];
    this.change(false);
  }

  private addPoint(x: number, y: number): void {
    this.drawing.at(-1)!.push([clamp(x), clamp(y)]);
  }

  private change(finished: boolean): void {
    this.redraw();
    this.changed(this.drawing, finished);
  }

  private redraw(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  private paint(): void {
    const { canvas } = this;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d")!;
    context.setTransform(side / SIDE, 0, 0, side / SIDE, 0, 0);
    context.clearRect(0, 0, SIDE, SIDE);
    const style = getComputedStyle(canvas);
    context.strokeStyle = style.color;
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = Math.max(LINE_WIDTH, (3 * SIDE) / canvas.clientWidth); // three pixels on a phone
    for (const line of this.drawing) trace(context, line);
    if (!this.cursor) return;
    context.strokeStyle = style.getPropertyValue("--accent");
    context.lineWidth /= 2;
    context.beginPath();
    context.arc(...this.cursor, this.cursorDown ? 9 : 16, 0, 2 * Math.PI);
    context.stroke();
  }
}

function trace(context: CanvasRenderingContext2D, line: Line): void {
  context.beginPath();
  context.moveTo(...line[0]!);
  for (const point of line) context.lineTo(...point); // a lone point too becomes a dot
  context.stroke();
}

/** A captured pointer may leave the paper; its line stays on it. */
function clamp(value: number): number {
  return Math.min(SIDE, Math.max(0, value));
}
