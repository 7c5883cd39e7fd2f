/**
 * Everything that crosses a thread boundary, declared once: what each job takes and answers, and what both ends see of
 * it meanwhile. Every field survives structured clone.
 */
import type { ErrorMessage } from '../errors.ts';
import type { Hash } from '../formats/hash.ts';
import type { NarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';

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
    };
    readonly reply: { readonly downloadedBytes: number; readonly timings: Timings };
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

/** Main thread to worker: the one argument of every worker function. */
export interface Task<N extends JobName> {
  readonly request: Request<N>;
  /** The memory of a {@link JobState}. */
  readonly state: SharedArrayBuffer;
}

export type Outcome<N extends JobName> =
  | { readonly ok: true; readonly reply: Reply<N> }
  | { readonly ok: false; readonly error: ErrorMessage };
