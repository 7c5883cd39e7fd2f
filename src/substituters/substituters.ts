/**
 * The substituters of a scheduler: opened once, each asked in its turn, by priority.
 *
 * Source: Nix 2.35 libstore/store-open.cc, getDefaultSubstituters.
 */
import { asSluiceError, type SluiceError } from '../errors.ts';
import { parseStoreReference, printStoreReference, withoutCredentials } from '../formats/store-reference.ts';
import type { Settings } from '../settings.ts';
import { BinaryCacheStore } from '../stores/binary-cache-store.ts';
import { openNarInfoCache } from '../stores/narinfo-disk-cache.ts';
import { openStore } from '../stores/open-store.ts';
import type { Store } from '../stores/store.ts';
import { Substituter } from './substituter.ts';

/** For how long, in milliseconds, it is waited for what caches say of their priority before any is asked for a path. */
const ORDER_PATIENCE = 1_000;
/** Of a store that does not say: as in Nix, it comes first. */
const DEFAULT_PRIORITY = 0;

export interface SubstitutersOptions {
  readonly settings: Settings;
  /** A file with what is remembered from earlier runs. */
  readonly narInfoCache?: string | undefined;
  /** Whether a store that cannot be opened is left out; otherwise it is an error. */
  readonly isOptional: boolean;
  /** A substituter is not worth asking for so many milliseconds; see {@link CircuitBreaker}. */
  readonly onSetAside: (uri: string, error: SluiceError, milliseconds: number) => void;
  /** A substituter is asked again. */
  readonly onBack: (uri: string) => void;
}

/** A store that could not be opened. */
export interface Unopened {
  readonly uri: string;
  readonly error: SluiceError;
}

export class Substituters implements AsyncDisposable {
  /** In the order in which they were named. */
  readonly all: readonly Substituter[];
  /** Those that were left out. */
  readonly unopened: readonly Unopened[];
  readonly #resources: AsyncDisposableStack;
  readonly #patience: number;
  #sorted: readonly Substituter[] | undefined;
  #learning: Promise<readonly Substituter[]> | undefined;

  private constructor(
    all: readonly Substituter[],
    unopened: readonly Unopened[],
    patience: number,
    resources: AsyncDisposableStack,
  ) {
    this.all = all;
    this.unopened = unopened;
    this.#patience = patience;
    this.#resources = resources;
  }

  /**
   * Opens stores. No network is waited for.
   *
   * @param given - stores, which stay the caller's, or their URIs; the same twice is one.
   */
  static async open(given: readonly (Store | string)[], options: SubstitutersOptions): Promise<Substituters> {
    const { settings } = options;
    await using opened = new AsyncDisposableStack();
    const narInfoCache =
      options.narInfoCache === undefined ? undefined : opened.use(openNarInfoCache(options.narInfoCache, settings));
    const stores: Store[] = [];
    const unopened: Unopened[] = [];
    for (const each of withoutRepetition(given)) {
      if (typeof each !== 'string') {
        stores.push(each);
        continue;
      }
      try {
        stores.push(opened.use(await openStore(each, settings, { narInfoCache })));
      } catch (error) {
        if (!options.isOptional) throw error;
        unopened.push({ uri: withoutCredentials(each), error: asSluiceError(error) });
      }
    }
    const all = stores.map((store) => makeSubstituter(store, options));
    await Promise.all(all.map(knowPriority));
    const patience = Math.min(ORDER_PATIENCE, settings.connectTimeout * 250 || ORDER_PATIENCE);
    return new Substituters(all, unopened, patience, opened.move());
  }

  /** In the order in which they are asked, as soon as that can be told. */
  inOrder(): readonly Substituter[] | Promise<readonly Substituter[]> {
    if (this.#sorted !== undefined) return this.#sorted;
    const unknown = this.all.filter(({ priority }) => priority === undefined);
    // A single one has no order, and is not worth the question.
    if (this.all.length > 1 && unknown.length > 0) {
      this.#learning ??= this.#learnPriorities(unknown);
      return this.#learning;
    }
    this.#sorted = sort(this.all);
    return this.#sorted;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  /** Done when all have answered, or have had time for it; who answers later gets his place then. */
  async #learnPriorities(unknown: readonly Substituter[]): Promise<readonly Substituter[]> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#patience);
    const learnt = unknown.map(async (substituter) => {
      await learnPriority(substituter);
      if (this.#sorted !== undefined) this.#sorted = sort(this.all);
    });
    await Promise.race([Promise.all(learnt), late]);
    clearTimeout(timer);
    this.#sorted = sort(this.all);
    return this.#sorted;
  }
}

function makeSubstituter(store: Store, { settings, onSetAside, onBack }: SubstitutersOptions): Substituter {
  return new Substituter(store, {
    connectTimeout: settings.connectTimeout,
    connections: settings.httpConnections,
    onOpened: (error, milliseconds) => onSetAside(store.uri, error, milliseconds),
    onClosed: () => onBack(store.uri),
  });
}

/** What can be told of its priority without asking it. */
async function knowPriority(substituter: Substituter): Promise<void> {
  const { store } = substituter;
  if (!(store instanceof BinaryCacheStore)) {
    substituter.priority = DEFAULT_PRIORITY;
    return;
  }
  const known = await store.knownCacheInfo();
  if (known !== undefined) substituter.priority = known.priority ?? DEFAULT_PRIORITY;
}

async function learnPriority(substituter: Substituter): Promise<void> {
  try {
    const info = await (substituter.store as BinaryCacheStore).queryCacheInfo({ impatient: true });
    substituter.priority = info.priority ?? DEFAULT_PRIORITY;
  } catch (thrown) {
    const error = asSluiceError(thrown);
    if (error.transient) substituter.breaker.trip(error);
    else substituter.failedToAnswer(error);
  }
}

/** Smallest priority first, those that say nothing last; of equals, the first that was named. */
function sort(all: readonly Substituter[]): readonly Substituter[] {
  const priority = (each: Substituter): number => each.priority ?? Number.POSITIVE_INFINITY;
  return all.toSorted((a, b) => (priority(a) === priority(b) ? 0 : priority(a) - priority(b)));
}

function withoutRepetition(given: readonly (Store | string)[]): readonly (Store | string)[] {
  const seen = new Set<string>();
  return given.filter((each) => {
    const uri = typeof each === 'string' ? canonical(each) : each.openUri;
    const isNew = !seen.has(uri);
    seen.add(uri);
    return isNew;
  });
}

function canonical(uri: string): string {
  try {
    const reference = parseStoreReference(uri);
    return printStoreReference({ ...reference, authority: reference.authority.replace(/\/+$/, '') });
  } catch {
    return uri; // what is wrong with it shows when it is opened
  }
}
