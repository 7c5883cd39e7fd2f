/**
 * Hashing of what lies at several file names, each as a NAR: two at a time, where the processor hashes two at once
 * faster than one after the other. Nearly synchronous: for worker threads.
 */
import { setImmediate } from 'node:timers/promises';
import { type HashedNar, hashNar } from './hash-nar.ts';
import { NarWindow } from './nar-window.ts';
import { readNar } from './read-nar.ts';
import { BLOCK, type Lane, openLanes, paddingOf, type Sha256Lanes } from './sha256-lanes.ts';

/** Bytes and rounds after which the event loop gets a turn, to hear of what was cancelled. */
const BREATH = { bytes: 32 * 1024 * 1024, rounds: 1_000 } as const;

export type NarOutcome =
  | { readonly ok: true; readonly found: HashedNar }
  | { readonly ok: false; readonly error: unknown };

export interface HashNarsOptions {
  readonly signal: AbortSignal;
  /** Called with lengths that add up to those of all NARs, as far as these were read. */
  readonly onBytes: (bytes: number) => void;
  /** Called once for each file name, in no order. */
  readonly onOutcome: (index: number, outcome: NarOutcome) => void;
  /** What opens the lanes, if not {@link openLanes}: for tests. */
  readonly open?: typeof openLanes | undefined;
}

/**
 * One file name alone is left to node:crypto, so that who finds something wrong can look at it in another way.
 *
 * @throws the reason of `signal`.
 */
export async function hashNars(realPaths: readonly string[], options: HashNarsOptions): Promise<void> {
  using windows = new DisposableStack();
  const pair = [windows.use(new NarWindow()), windows.use(new NarWindow())] as const;
  const { open = openLanes } = options;
  const lanes = realPaths.length > 1 ? open([pair[0].buffer, pair[1].buffer]) : undefined;
  await (lanes === undefined ? hashInTurn(realPaths, options) : hashInPairs(realPaths, options, lanes, pair));
}

async function hashInTurn(
  realPaths: readonly string[],
  { signal, onBytes, onOutcome }: HashNarsOptions,
): Promise<void> {
  for (const [index, realPath] of realPaths.entries()) {
    signal.throwIfAborted();
    if (index % BREATH.rounds === BREATH.rounds - 1) await setImmediate();
    let outcome: NarOutcome;
    try {
      outcome = { ok: true, found: await hashNar(realPath, signal, onBytes) };
    } catch (error) {
      signal.throwIfAborted();
      outcome = { ok: false, error };
    }
    onOutcome(index, outcome);
  }
}

async function hashInPairs(
  realPaths: readonly string[],
  { signal, onBytes, onOutcome }: HashNarsOptions,
  lanes: Sha256Lanes,
  windows: readonly [NarWindow, NarWindow],
): Promise<void> {
  const left = realPaths.entries();
  using first = new LaneReader(0, windows[0], lanes, left, onOutcome);
  using second = new LaneReader(1, windows[1], lanes, left, onOutcome);
  let [bytes, rounds] = [0, 0];
  for (;;) {
    const [a, b] = [first.fill(), second.fill()];
    if (a === 0 && b === 0) return;
    // What one has more than the other waits for that to be filled again.
    const blocks = a === 0 || b === 0 ? a + b : Math.min(a, b);
    if (b === 0) lanes.updateOne(0, windows[0].start, blocks);
    else if (a === 0) lanes.updateOne(1, windows[1].start, blocks);
    else lanes.update([windows[0].start, windows[1].start], blocks);
    const taken = (a === 0 ? 0 : first.take(blocks)) + (b === 0 ? 0 : second.take(blocks));
    onBytes(taken);
    bytes += taken;
    if (bytes < BREATH.bytes && ++rounds < BREATH.rounds) continue;
    [bytes, rounds] = [0, 0];
    await setImmediate();
    signal.throwIfAborted();
  }
}

/** One NAR after the other through one lane. Dispose it, so that no file stays open. */
class LaneReader implements Disposable {
  readonly #lane: Lane;
  readonly #window: NarWindow;
  readonly #lanes: Sha256Lanes;
  readonly #left: Iterator<[index: number, realPath: string]>;
  readonly #onOutcome: HashNarsOptions['onOutcome'];
  #index = -1;
  #reading: Generator<void, void, void> | undefined;
  /** All of the NAR is in the window, or was; and what follows it for the hash. */
  #isWhole = false;
  #taken = 0;

  constructor(
    lane: Lane,
    window: NarWindow,
    lanes: Sha256Lanes,
    left: Iterator<[index: number, realPath: string]>,
    onOutcome: HashNarsOptions['onOutcome'],
  ) {
    this.#lane = lane;
    this.#window = window;
    this.#lanes = lanes;
    this.#left = left;
    this.#onOutcome = onOutcome;
  }

  [Symbol.dispose](): void {
    this.#reading?.return();
  }

  /** @returns how many whole blocks there are to hash; zero where nothing is left to read either. */
  fill(): number {
    for (;;) {
      const blocks = Math.floor(this.#window.length / BLOCK);
      if (blocks > 0) return blocks;
      if (this.#isWhole) this.#finish();
      if (this.#reading === undefined && !this.#next()) return 0;
      this.#read();
    }
  }

  /** @returns how many bytes of the NAR they are. */
  take(blocks: number): number {
    const bytes = blocks * BLOCK;
    this.#window.take(bytes);
    const before = this.#taken;
    this.#taken = Math.min(before + bytes, this.#window.filled);
    return this.#taken - before;
  }

  #next(): boolean {
    const { done, value } = this.#left.next();
    if (done) return false;
    const [index, realPath] = value;
    this.#index = index;
    this.#taken = 0;
    this.#window.clear();
    this.#lanes.start(this.#lane);
    this.#reading = readNar(realPath, this.#window);
    return true;
  }

  #read(): void {
    try {
      if (!this.#reading!.next().done) return;
      this.#isWhole = true;
      this.#window.end(paddingOf(this.#window.filled));
    } catch (error) {
      this.#reading = undefined;
      this.#window.clear();
      this.#onOutcome(this.#index, { ok: false, error });
    }
  }

  #finish(): void {
    const narHash = { algorithm: 'sha256', digest: this.#lanes.digest(this.#lane) } as const;
    this.#isWhole = false;
    this.#reading = undefined;
    this.#onOutcome(this.#index, { ok: true, found: { narHash, narSize: this.#window.filled } });
  }
}
