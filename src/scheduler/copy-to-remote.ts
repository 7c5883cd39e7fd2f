/** Copies closures into a store behind a daemon or ssh: what is missing there, as one stream, references first. */
import type { EventEmitter } from 'eventemitter3';
import { asSluiceError, InvalidPathError, type SluiceError } from '../errors.ts';
import { isNarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { SchedulerEvents, TransferView } from '../goals/events.ts';
import type { GoalResult } from '../goals/goal.ts';
import type { Notice, Progress } from '../pool/messages.ts';
import { WorkerPool } from '../pool/worker-pool.ts';
import type { Settings } from '../settings.ts';
import type { RemoteStore } from '../stores/remote-store.ts';
import type { Store } from '../stores/store.ts';
import type { RealiseResult } from './scheduler.ts';

export interface CopyToRemoteOptions {
  readonly from: Store;
  readonly to: RemoteStore;
  readonly paths: readonly StorePath[];
  /** What `from` knows of `paths` and of all they refer to, references first. */
  readonly closure: readonly PathInfo[];
  /** Whether the other side is to check signatures. */
  readonly checkSigs: boolean;
  readonly settings: Settings;
  /** Told as a {@link Scheduler} tells: `substituter` is the store that is copied from. */
  readonly events: EventEmitter<SchedulerEvents>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes `paths` valid in `to`, with all that they refer to.
 *
 * @returns how each ended, in order. After a failure those are valid that were complete before.
 * @throws the reason of `signal`.
 */
export async function copyToRemote(options: CopyToRemoteOptions): Promise<RealiseResult[]> {
  const { from, to, paths, closure, checkSigs, settings, events, signal } = options;
  const known = new Set(closure.map(({ path }) => path));
  let valid: ReadonlySet<StorePath> = new Set();
  const failure = await send();
  const now = failure === undefined ? known : await to.queryValidPaths(paths, { signal }).catch(() => valid);
  signal?.throwIfAborted();
  return paths.map((path) => {
    const result = resultOf(path);
    events.emit('goalFinished', { path, result });
    return { ...result, path };
  });

  async function send(): Promise<SluiceError | undefined> {
    await using pool = new WorkerPool({ settings });
    let sending: Sending | undefined;
    const others = paths.filter((path) => !known.has(path));
    const request = { from: from.openUri, to: to.openUri, infos: closure.map(asCopied), others, checkSigs };
    const onNotice = (notice: Notice): void => {
      if (notice.kind !== 'valid') {
        sending?.hear(notice);
        return;
      }
      const there = new Set(notice.paths);
      valid = there;
      sending = new Sending(
        closure.filter(({ path }) => !there.has(path)),
        from.uri,
        events,
      );
    };
    const onProgress = (progress: Progress): void => sending?.progress(progress);
    try {
      await pool.run('copyPaths', request, { signal, onNotice, onProgress });
      return undefined;
    } catch (error) {
      sending?.fail(signal?.aborted ? undefined : asSluiceError(error));
      signal?.throwIfAborted();
      return asSluiceError(error);
    }
  }

  function resultOf(path: StorePath): GoalResult {
    if (valid.has(path)) return { state: 'succeeded', how: 'alreadyValid' };
    if (!known.has(path)) {
      return { state: 'failed', failure: new InvalidPathError(printStorePath(from.storeDir, path), from.uri) };
    }
    if (failure === undefined || now.has(path)) return { state: 'succeeded', how: 'substituted' };
    return { state: 'failed', failure };
  }
}

/** It was not built there, whoever built it, and becomes valid when it comes. */
function asCopied(info: PathInfo): PathInfo {
  return { ...info, ultimate: false, registrationTime: undefined };
}

/** Tells of the transfers of one job, which come in order. */
class Sending {
  readonly #events: EventEmitter<SchedulerEvents>;
  readonly #infos: readonly PathInfo[];
  readonly #views: readonly TransferView[];
  /** How many are gone. */
  #sent = 0;
  /** What these took of what the job has moved so far. */
  #before: Progress = { downloadedBytes: 0, narBytes: 0 };

  constructor(infos: readonly PathInfo[], substituter: string, events: EventEmitter<SchedulerEvents>) {
    this.#events = events;
    this.#infos = infos;
    this.#views = infos.map((info) => ({
      path: info.path,
      substituter,
      narSize: info.narSize,
      downloadSize: isNarInfo(info) ? info.fileSize : info.narSize,
    }));
    for (const view of this.#views) events.emit('transferExpected', view);
  }

  hear(notice: Notice): void {
    const view = this.#views[this.#sent];
    if (view === undefined) return;
    if (notice.kind === 'sending') this.#events.emit('transferStarted', view);
    if (notice.kind !== 'sent') return;
    const { narHash, narSize } = this.#infos[this.#sent]!;
    this.#sent++;
    const { downloadedBytes, narBytes } = this.#before;
    const { received } = notice;
    this.#before = { downloadedBytes: downloadedBytes + received.downloadedBytes, narBytes: narBytes + narSize };
    this.#events.emit('transferFinished', { ...view, ...received, narHash, voucher: { by: 'nothing' } });
  }

  progress({ downloadedBytes, narBytes }: Progress): void {
    const view = this.#views[this.#sent];
    if (view === undefined) return;
    this.#events.emit('transferProgress', {
      ...view,
      downloadedBytes: Math.max(0, downloadedBytes - this.#before.downloadedBytes),
      narBytes: Math.max(0, narBytes - this.#before.narBytes),
    });
  }

  fail(error: SluiceError | undefined): void {
    for (const view of this.#views.slice(this.#sent)) this.#events.emit('transferFailed', { ...view, error });
    this.#sent = this.#views.length;
  }
}
