/**
 * Everything that crosses a thread boundary, declared once: what each job takes and answers, and what both ends see of
 * it meanwhile. Every field survives structured clone.
 *
 * Both directions send arrays: one message has all that one turn of the event loop had to say.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorMessage } from '../errors.ts';
import type { Hash } from '../formats/hash.ts';
import type { NarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';

/** Where the time of one transfer went. Durations are in milliseconds. */
export interface Timings {
  /** The worker thread, as node:worker_threads numbers it. */
  readonly thread: number;
  /** When the worker took the job up, in milliseconds since the epoch, with fractions. */
  readonly started: number;
  /** From the request to the first byte. */
  readonly wait: number;
  /** From the first byte to the last file: receive, decompress, hash, unpack. */
  readonly unpack: number;
  /** What of `unpack` the thread spent decompressing; hashing; parsing the NAR and writing files. */
  readonly decode: number;
  readonly hash: number;
  readonly write: number;
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
    };
    readonly reply: { readonly downloadedBytes: number; readonly timings: Timings };
  };
  /** Exports a path from a source store and checks it, for nothing but to see how long that takes. */
  readonly fetch: {
    readonly request: { readonly from: string; readonly info: PathInfo | NarInfo };
    readonly reply: { readonly downloadedBytes: number; readonly timings: Timings };
  };
  /** Opens stores, so that the first job that needs them does not wait for it. */
  readonly open: {
    readonly request: { readonly stores: readonly string[] };
    readonly reply: Record<never, never>;
  };
  /** Hashes what lies at a file name, as a NAR. */
  readonly hashPath: {
    readonly request: { readonly realPath: string };
    readonly reply: { readonly narHash: Hash; readonly narSize: number };
  };
  /** Writes the NAR of a path into a binary cache, compressed; the narinfo that announces it is the reply. */
  readonly upload: {
    readonly request: {
      readonly from: string;
      readonly info: PathInfo | NarInfo;
      /** URI of the binary cache. */
      readonly to: string;
    };
    readonly reply: { readonly narInfo: NarInfo; readonly downloadedBytes: number; readonly timings: Timings };
  };
}

export type JobName = keyof Jobs;
export type Request<N extends JobName> = Jobs[N]['request'];
export type Reply<N extends JobName> = Jobs[N]['reply'];

/** What has been moved so far, in bytes. */
export interface Progress {
  /** Over the wire, before decompression. */
  readonly downloadedBytes: number;
  readonly narBytes: number;
}

/** Main thread to worker: what Piscina hands to a thread, which then serves jobs until the port is closed. */
export interface ThreadTask {
  readonly port: MessagePort;
  /** The memory of a {@link ProgressMemory}. */
  readonly progress: SharedArrayBuffer;
}

/** Main thread to worker, over its port. A job is known by its number: its place in the progress memory, too. */
export type JobMessage =
  | { readonly job: number; readonly name: JobName; readonly request: Request<JobName> }
  | { readonly job: number; readonly name: 'cancel' };

/** Worker to main thread: how a job ended. */
export interface JobReply {
  readonly job: number;
  readonly outcome: Outcome<JobName>;
}

export type Outcome<N extends JobName> =
  | { readonly ok: true; readonly reply: Reply<N> }
  | { readonly ok: false; readonly error: ErrorMessage };
