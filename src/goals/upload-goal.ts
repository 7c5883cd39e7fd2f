/** The goal that makes one path valid in a binary cache by copying it from another store. */
import { asSluiceError, IncompleteClosureError, InvalidPathError } from '../errors.ts';
import { isNarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import { printStorePath, type StorePath } from '../formats/store-path.ts';
import type { Progress } from '../pool/messages.ts';
import type { BinaryCacheStore } from '../stores/binary-cache-store.ts';
import type { Store } from '../stores/store.ts';
import type { TransferView } from './events.ts';
import type { Goal, GoalContext, GoalResult } from './goal.ts';
import { queryInfo } from './query-info.ts';

export class UploadGoal implements Goal {
  readonly key: string;
  readonly path: StorePath;
  readonly #from: Store;
  readonly #to: BinaryCacheStore;

  constructor(path: StorePath, from: Store, to: BinaryCacheStore) {
    this.key = `upload:${path}`;
    this.path = path;
    this.#from = from;
    this.#to = to;
  }

  async run(context: GoalContext): Promise<GoalResult> {
    if (await this.#to.isValidPath(this.path, context)) return { state: 'succeeded', how: 'alreadyValid' };
    const info = await queryInfo(this.#from, this.path, context);
    if (info === undefined) {
      const path = printStorePath(this.#from.storeDir, this.path);
      return { state: 'failed', failure: new InvalidPathError(path, this.#from.uri) };
    }
    const references = context.waitFor(info.references.filter((reference) => reference !== this.path));
    references.catch(() => {}); // rejects only when cancelled, which ends the upload, too
    const narInfo = await this.#upload(info, context);
    // Announced only when all it refers to is announced: whoever reads a cache meanwhile finds closures whole.
    const ended = await references;
    if (!ended.ok) {
      const [ours, theirs] = [this.path, ended.path].map((path) => printStorePath(this.#to.storeDir, path));
      const message = `path '${ours}' needs '${theirs}', which could not be copied`;
      return { state: 'failed', failure: new IncompleteClosureError(message, { cause: ended.result.failure }) };
    }
    const started = performance.now();
    await this.#to.writeNarInfo(narInfo, { signal: context.signal });
    context.events.emit('pathsRegistered', { paths: [this.path], milliseconds: performance.now() - started });
    return { state: 'succeeded', how: 'substituted' };
  }

  async #upload(info: PathInfo, context: GoalContext): ReturnType<BinaryCacheStore['writeNar']> {
    const view: TransferView = {
      path: this.path,
      substituter: this.#from.uri,
      narSize: info.narSize,
      downloadSize: isNarInfo(info) ? info.fileSize : info.narSize,
    };
    const { signal } = context;
    context.events.emit('transferExpected', view);
    try {
      using _slot = await context.slot('substitution', signal, info.narSize);
      context.events.emit('transferStarted', view);
      const request = { from: this.#from.openUri, info, to: this.#to.openUri };
      const onProgress = (progress: Progress): void => {
        context.events.emit('transferProgress', { ...view, ...progress });
      };
      const { narInfo, ...reply } = await context.runJob('upload', request, { signal, onProgress });
      context.events.emit('transferFinished', {
        ...view,
        ...reply,
        narHash: info.narHash,
        voucher: { by: 'nothing' },
      });
      return narInfo;
    } catch (error) {
      context.events.emit('transferFailed', { ...view, error: signal.aborted ? undefined : asSluiceError(error) });
      throw error;
    }
  }
}
