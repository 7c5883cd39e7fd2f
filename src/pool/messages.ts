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
import type { StoreDir, StorePath } from '../formats/store-path.ts';

/** A file, or one of a process, and the store path that it keeps from being collected. */
export interface RootMessage {
  readonly from: string;
  readonly path: StorePath;
}

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

/** What a NAR took that came out of a store. */
export interface Received {
  readonly downloadedBytes: number;
  readonly timings: Timings;
  /** How many requests had to be made again. */
  readonly retries: number;
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
      /** Where the part of a large download is kept: see NarOptions. */
      readonly partial?: string | undefined;
      /** Whether another source can be turned to: see QueryOptions. */
      readonly impatient?: boolean | undefined;
    };
    readonly reply: Received;
  };
  /** Exports a path from a source store and checks it, for nothing but to see how long that takes. */
  readonly fetch: {
    readonly request: { readonly from: string; readonly info: PathInfo | NarInfo };
    readonly reply: Received;
  };
  /** Opens stores, so that the first job that needs them does not wait for it. */
  readonly open: {
    readonly request: { readonly stores: readonly string[] };
    readonly reply: Record<never, never>;
  };
  /** Deletes trees, and says what that frees, in bytes. What cannot be deleted stays, and some of it is told. */
  readonly deletePaths: {
    readonly request: { readonly paths: readonly string[] };
    readonly reply: {
      readonly bytesFreed: number;
      readonly problems: readonly { readonly path: string; readonly message: string }[];
    };
  };
  /** Deletes what no store path shares any more, of one part of `.links`; says what the others save, in bytes. */
  readonly deleteLinks: {
    readonly request: { readonly linksDir: string; readonly part: number; readonly parts: number };
    readonly reply: { readonly deleted: number; readonly saved: number };
  };
  /** Finds out which files are in `.links`: the memory of an InodeSet. */
  readonly readLinks: {
    readonly request: { readonly linksDir: string };
    readonly reply: { readonly linked: SharedArrayBuffer };
  };
  /** Replaces files by hard links to those with the same contents. Where that cannot be done, it is a problem. */
  readonly optimise: {
    readonly request: {
      readonly realStoreDir: string;
      readonly paths: readonly StorePath[];
      /** What is in `.links`: see readLinks. */
      readonly linked: SharedArrayBuffer;
    };
    readonly reply: {
      /** Files that were replaced, and their sizes together. */
      readonly filesLinked: number;
      readonly bytesFreed: number;
      readonly bytesRead: number;
      /** What a user should know. */
      readonly messages: readonly string[];
      readonly problems: readonly { readonly path: StorePath; readonly message: string }[];
    };
  };
  /** Finds what keeps store paths from being collected, apart from temporary roots. Paths need not be valid. */
  readonly findRoots: {
    readonly request: { readonly stateDir: string; readonly storeDir: StoreDir };
    readonly reply: {
      readonly permanent: readonly RootMessage[];
      readonly runtime: readonly RootMessage[];
      /** What was found that is no root, and why. */
      readonly messages: readonly string[];
    };
  };
  /** Hashes what lies at a file name, as a NAR. */
  readonly hashPath: {
    readonly request: { readonly realPath: string };
    readonly reply: { readonly narHash: Hash; readonly narSize: number };
  };
  /** The same for several; the outcomes are in their order. */
  readonly hashPaths: {
    readonly request: { readonly realPaths: readonly string[] };
    readonly reply: {
      readonly outcomes: readonly (
        | { readonly ok: true; readonly found: { readonly narHash: Hash; readonly narSize: number } }
        | { readonly ok: false; readonly error: ErrorMessage }
      )[];
    };
  };
  /** Hashes the files of one part of `.links`; says which are not what their names say. */
  readonly verifyLinks: {
    readonly request: { readonly linksDir: string; readonly part: number; readonly parts: number };
    readonly reply: {
      readonly checked: number;
      /** `got` is the name that the contents would give; where they cannot be read, `message` says why. */
      readonly bad: readonly {
        readonly name: string;
        readonly got: string | undefined;
        readonly message: string | undefined;
      }[];
    };
  };
  /** Writes the NAR of a path into a binary cache, compressed; the narinfo that announces it is the reply. */
  readonly upload: {
    readonly request: {
      readonly from: string;
      readonly info: PathInfo | NarInfo;
      /** URI of the binary cache. */
      readonly to: string;
    };
    readonly reply: Received & {
      readonly narInfo: NarInfo;
      /** Over the wire, after compression. */
      readonly uploadedBytes: number;
    };
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
  /** Of uploads: what went to where the path is copied to, after compression. */
  readonly uploadedBytes?: number | undefined;
}

/** Main thread to worker: what Piscina hands to a thread, which then serves jobs until the port is closed. */
export interface ThreadTask {
  readonly port: MessagePort;
  /** The memory of a {@link ProgressMemory}. */
  readonly progress: SharedArrayBuffer;
  /** Where setting `download-speed` sets a limit: what all threads share. */
  readonly downloadLimit: SharedLimit | undefined;
}

/** A {@link RateLimit} on its way to another thread. */
export interface SharedLimit {
  readonly bytesPerSecond: number;
  readonly memory: SharedArrayBuffer;
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
