/**
 * Who gets a slot for a transfer: the largest first, since the last to end decides; of small ones the latest, since
 * others wait for what was found deepest in the graph.
 */
import type { SlotKind } from '../goals/goal.ts';
import type { Settings } from '../settings.ts';
import { Slots } from './slots.ts';

/** Transfers at once in the beginning: enough to keep the threads busy where the network is fast. */
export const FEW = 8;
/** Of a NAR, in bytes: so large that {@link MOST_LARGE} at once keep any network busy. */
const LARGE = 512 * 1024;
/** Large transfers at once: eight wait too long for answers that take 20 ms, and sixteen take 30 MB more for xz. */
export const MOST_LARGE = 12;
/** Threads that are less busy than this have time for more transfers. */
const BUSY = 0.8;

export type SlotsOfKinds = Readonly<Record<SlotKind, Slots>>;

/** @param version - of the priorities of builds: see {@link Slots}. */
export function makeSlots(settings: Settings, version: () => number): SlotsOfKinds {
  // As Nix: substitution always has one slot, even where building has none.
  const limit = Math.max(1, settings.substitutionsUseBuildSlots ? settings.maxJobs : settings.maxSubstitutionJobs);
  const substitution = new Slots(limit, { open: FEW, version });
  const build = settings.substitutionsUseBuildSlots ? substitution : new Slots(settings.maxJobs, { version });
  return { substitution, build };
}

export class TransferSlots {
  readonly #slots: SlotsOfKinds;
  /** How busy the threads are, from 0 to 1, where that is known. */
  readonly #lookHowBusy: () => number | undefined;
  /** What a large transfer takes beside a slot. */
  readonly #largeSlots = new Slots(MOST_LARGE);
  /** Counts small transfers. */
  #small = 0;

  constructor(slots: SlotsOfKinds, lookHowBusy: () => number | undefined) {
    this.#slots = slots;
    this.#lookHowBusy = lookHowBusy;
  }

  /** How many are taken, of all kinds. */
  get taken(): number {
    return new Set(Object.values(this.#slots)).values().reduce((sum, { taken }) => sum + taken, this.#largeSlots.taken);
  }

  /** @param size - of what is to be done, in bytes of NAR. */
  acquire(kind: SlotKind, signal: AbortSignal, size: number): Promise<Disposable> {
    if (size >= LARGE) return this.#acquireLarge(kind, signal, size);
    return this.#acquire(kind, signal, this.#small++ / Number.MAX_SAFE_INTEGER);
  }

  async #acquireLarge(kind: SlotKind, signal: AbortSignal, size: number): Promise<Disposable> {
    using held = new DisposableStack();
    held.use(await this.#largeSlots.acquire(signal, size));
    held.use(await this.#acquire(kind, signal, size));
    return held.move();
  }

  #acquire(kind: SlotKind, signal: AbortSignal, priority: number): Promise<Disposable> {
    const slots = this.#slots[kind];
    const slot = slots.acquire(signal, priority);
    // More at once, as long as that is what the threads lack: in the beginning, and where answers are slow to come.
    if (slots.waiting > 0 && (this.#lookHowBusy() ?? 1) < BUSY) slots.widen();
    return slot;
  }
}
