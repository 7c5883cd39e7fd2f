/** Events of a scheduler, made up: transfers of which a test decides how they go. */
import { EventEmitter } from 'eventemitter3';
import type { Route } from '../../src/cli/progress/reporter.ts';
import { type SluiceError, TransferError } from '../../src/errors.ts';
import { type Hash, hashBytes } from '../../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, parseBaseName, type StorePath } from '../../src/formats/store-path.ts';
import type { SchedulerEvents, TransferView } from '../../src/goals/events.ts';
import type { Timings } from '../../src/pool/messages.ts';

export const MIB: number = 1024 * 1024;

export const ROUTE: Route = { storeDir: DEFAULT_STORE_DIR, to: 'local' };

/** Of transfers whose contents do not matter. */
export const NAR_HASH: Hash = hashBytes('sha256', '');

/** Of transfers whose parts do not matter. */
const TIMINGS: Timings = { thread: 1, started: 0, wait: 20, unpack: 500, decode: 200, hash: 100, write: 100 };

/** The path with the given name, and a hash part of zeros. */
export function pathNamed(name: string): StorePath {
  return parseBaseName(`${'0'.repeat(32)}-${name}`);
}

export class Transfers {
  readonly events: EventEmitter<SchedulerEvents> = new EventEmitter();
  readonly substituter: string;

  constructor(substituter = 'https://cache.example.org') {
    this.substituter = substituter;
  }

  view(name: string, narSize: number, downloadSize: number | undefined): TransferView {
    return { path: pathNamed(name), substituter: this.substituter, narSize, downloadSize };
  }

  /** The goal starts, and its transfer is expected. */
  expect(name: string, narSize: number, downloadSize: number | undefined = narSize / 2): TransferView {
    const view = this.view(name, narSize, downloadSize);
    this.events.emit('goalStarted', { path: view.path });
    this.events.emit('transferExpected', view);
    return view;
  }

  /** As {@link Transfers.expect}; then it starts, too. */
  start(name: string, narSize: number, downloadSize?: number): TransferView {
    const view = this.expect(name, narSize, downloadSize);
    this.events.emit('transferStarted', view);
    return view;
  }

  progress(view: TransferView, narBytes: number): void {
    this.events.emit('transferProgress', { ...view, narBytes, downloadedBytes: narBytes / 2 });
  }

  /** The path is unpacked; it is not valid yet. */
  finish(view: TransferView, how: Partial<SchedulerEvents['transferFinished'][0]> = {}): void {
    this.events.emit('transferFinished', {
      ...view,
      downloadedBytes: view.downloadSize ?? view.narSize,
      timings: TIMINGS,
      retries: 0,
      narHash: NAR_HASH,
      voucher: { by: 'nothing' },
      ...how,
    });
  }

  register(...views: readonly TransferView[]): void {
    this.events.emit('pathsRegistered', { paths: views.map(({ path }) => path), milliseconds: 3 });
    for (const { path } of views) {
      this.events.emit('goalFinished', { path, result: { state: 'succeeded', how: 'substituted' } });
    }
  }

  /** The transfer fails; where `next` is given, another substituter is tried. */
  fail(
    view: TransferView,
    next?: string,
    error: SluiceError = new TransferError(`cannot fetch '${this.substituter}/nar/1.nar': the connection was closed`),
  ): void {
    const { path, substituter } = view;
    this.events.emit('transferFailed', { ...view, error });
    this.events.emit('substituterFailed', { path, substituter, error, next });
    if (next === undefined) this.events.emit('goalFinished', { path, result: { state: 'failed', failure: error } });
  }
}
