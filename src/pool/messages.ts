/**
 * Everything that crosses a thread boundary, declared once: what each job takes, answers and says meanwhile.
 * Every field survives structured clone.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorMessage } from '../errors.ts';
import type { Hash } from '../formats/hash.ts';
import type { NarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { Settings } from '../settings.ts';

/** Where the time of one transfer went, in milliseconds of the worker's clock. */
export interface Timings {
  /** From the request to the first byte. */
  readonly wait: number;
  /** From the first byte to the last file: receive, decompress, hash, unpack. */
  readonly unpack: number;
}

export interface Jobs {
  /** Exports a path from a source store, checks it, and unpacks it at `destination`. */
  readonly substitute: {
    readonly request: {
      /** URI of the source store, with its parameters; opened once a thread. */
      readonly from: string;
      readonly info: PathInfo | NarInfo;
      /** A file name that does not exist yet, in a directory that does. */
      readonly destination: string;
      readonly settings: Settings;
    };
    /** Totals so far. */
    readonly progress: { readonly downloadedBytes: number; readonly narBytes: number };
    readonly reply: { readonly downloadedBytes: number; readonly timings: Timings };
  };
  /** Hashes what lies at a file name, as a NAR. */
  readonly hashPath: {
    readonly request: { readonly realPath: string };
    readonly progress: { readonly narBytes: number };
    readonly reply: { readonly narHash: Hash; readonly narSize: number };
  };
  /** Writes the NAR of a path into a binary cache, compressed; the narinfo that announces it is the reply. */
  readonly upload: {
    readonly request: {
      readonly from: string;
      readonly info: PathInfo | NarInfo;
      /** URI of the binary cache. */
      readonly to: string;
      readonly settings: Settings;
    };
    readonly progress: { readonly downloadedBytes: number; readonly narBytes: number };
    readonly reply: { readonly narInfo: NarInfo; readonly downloadedBytes: number; readonly timings: Timings };
  };
}

export type JobName = keyof Jobs;
export type Request<N extends JobName> = Jobs[N]['request'];
export type Progress<N extends JobName> = Jobs[N]['progress'];
export type Reply<N extends JobName> = Jobs[N]['reply'];

/** Main thread to worker: the one argument of every worker function. */
export interface Task<N extends JobName> {
  readonly request: Request<N>;
  readonly port: MessagePort;
}

/** Worker to main thread, over the task's port. */
export interface ProgressMessage<N extends JobName> {
  readonly type: 'progress';
  readonly progress: Progress<N>;
}

/** Main thread to worker, over the task's port. */
export interface CancelMessage {
  readonly type: 'cancel';
  readonly reason: string;
}

export type Outcome<N extends JobName> =
  | { readonly ok: true; readonly reply: Reply<N> }
  | { readonly ok: false; readonly error: ErrorMessage };
