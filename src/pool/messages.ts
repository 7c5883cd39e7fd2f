/**
 * Everything that crosses a thread boundary, declared once: what each job takes and answers, and what both ends see of
 * it meanwhile. Every field survives structured clone.
 *
 * Both directions send arrays: one message has all that one turn of the event loop had to say.
 */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorMessage } from '../errors.ts';
import type { BasicDerivation } from '../formats/derivation.ts';
import type { Hash } from '../formats/hash.ts';
import type { NarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StoreDir, StorePath } from '../formats/store-path.ts';
import type { Settings } from '../settings.ts';

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
  /**
   * What of `unpack` the thread spent decompressing; hashing, or handing over to a thread that hashes; parsing the NAR
   * and writing files.
   */
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

/**
 * What a build is for. `normal` makes outputs that are missing, `repair` makes them whether they are there or not, and
 * `check` makes outputs that are valid once more, to see whether they come out the same.
 */
export type BuildMode = 'normal' | 'repair' | 'check';

/** One derivation to be built, wherever that is done. */
export interface BuildRequest {
  /** URI of the local store. */
  readonly store: string;
  readonly drvPath: StorePath;
  readonly derivation: BasicDerivation;
  /** All that the builder may read: the closure of its inputs, references first. */
  readonly inputPaths: readonly StorePath[];
  /** For each name in `exportReferencesGraph`: the closure of what it stands for, sorted by path. */
  readonly graphs: Readonly<Record<string, readonly PathInfo[]>>;
  /** The outputs that are to be made. Others of the derivation are valid and stay as they are. */
  readonly outputs: readonly WantedOutput[];
  /** A directory for this build alone, which exists, in the staging directory of the store. */
  readonly staging: string;
  readonly mode: BuildMode;
}

export interface WantedOutput {
  readonly name: string;
  readonly path: StorePath;
  /** In mode `check`: of the NAR that is registered. */
  readonly narHash?: Hash | undefined;
}

/** An output that was made and looked at: its info is what will be registered. */
export interface BuiltOutput {
  readonly name: string;
  /** With references, deriver and content address, `ultimate` where it was built here; not signed yet. */
  readonly info: PathInfo;
  /** Where in {@link BuildRequest.staging} it lies, with canonical metadata; in mode `check` nowhere any more. */
  readonly location: string | undefined;
}

export interface BuildReply {
  readonly outputs: readonly BuiltOutput[];
  /** The build failed since a fixed output has other contents: `outputs` has it where it can be kept, by its contents. */
  readonly failure?: ErrorMessage | undefined;
  /** In seconds since the epoch. */
  readonly startTime: number;
  readonly stopTime: number;
}

/** How a build hook answered. */
export type HookReply =
  | { readonly state: 'declined' | 'declinedPermanently' | 'postponed' }
  /** It has built the outputs, and registered them itself. */
  | { readonly state: 'built'; readonly startTime: number; readonly stopTime: number };

export interface Jobs {
  /** Builds a derivation on this machine. Throws a BuildError where it cannot be built. */
  readonly build: { readonly request: BuildRequest; readonly reply: BuildReply };
  /** Builds a derivation in another store, which is one of a machine: copies there what it lacks, and the outputs back. */
  readonly remoteBuild: {
    readonly request: BuildRequest & {
      /** URI of the other store, with its parameters. */
      readonly on: string;
    };
    readonly reply: BuildReply;
  };
  /** Offers a derivation to setting `build-hook`, and waits for the build where it accepts. */
  readonly hookBuild: {
    readonly request: BuildRequest & {
      /** What is asked of the machine. */
      readonly features: readonly string[];
      /** Whether it could be built here at once. */
      readonly amWilling: boolean;
    };
    readonly reply: HookReply;
  };
  /** Runs setting `post-build-hook` on outputs that were built; done when it has ended. Throws where it failed. */
  readonly postBuildHook: {
    readonly request: { readonly drvPath: string; readonly outPaths: readonly string[] };
    readonly reply: Record<never, never>;
  };
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
  /**
   * Copies what is missing into a store behind a protocol of Nix, over one connection. Tells first what is valid there,
   * and then of each path when it is gone.
   */
  readonly copyPaths: {
    readonly request: {
      readonly from: string;
      /** URI of the remote store. */
      readonly to: string;
      /** References first. */
      readonly infos: readonly (PathInfo | NarInfo)[];
      /** Others of which it is of interest whether they are valid there. */
      readonly others: readonly StorePath[];
      /** Whether the other side is to check signatures. */
      readonly checkSigs: boolean;
    };
    readonly reply: Record<never, never>;
  };
}

export type JobName = keyof Jobs;
export type Request<N extends JobName> = Jobs[N]['request'];
export type Reply<N extends JobName> = Jobs[N]['reply'];

/** What a job tells while it runs. */
export type Notice =
  /** Whole lines that a builder or a hook printed, without their ends. */
  | { readonly kind: 'log'; readonly lines: readonly string[] }
  /** The builder has entered a phase, such as `unpackPhase`. */
  | { readonly kind: 'phase'; readonly phase: string }
  /** For the user, in words. */
  | { readonly kind: 'warning'; readonly message: string }
  /** Of the paths that are to be copied these are there already. */
  | { readonly kind: 'valid'; readonly paths: readonly StorePath[] }
  /** Another machine has built what it was asked for; the outputs are still to be fetched. */
  | { readonly kind: 'built' }
  /** The next of several paths is on its way, or all of it is gone. */
  | { readonly kind: 'sending' }
  | { readonly kind: 'sent'; readonly received: Received };

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
  /** What the jobs get as their settings. */
  readonly settings: Settings;
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

export interface StartMessage<N extends JobName> {
  readonly job: number;
  readonly name: N;
  readonly request: Request<N>;
  /** See JobContext; left out where it is not so. */
  readonly hasSpareCore?: boolean;
}

/** Main thread to worker, over its port. A job is known by its number: its place in the progress memory, too. */
export type JobMessage = StartMessage<JobName> | { readonly job: number; readonly name: 'cancel' };

/** Worker to main thread: how a job ended. */
export interface JobReply {
  readonly job: number;
  readonly outcome: Outcome<JobName>;
}

/** Worker to main thread. */
export type ThreadMessage = JobReply | { readonly job: number; readonly notice: Notice };

export type Outcome<N extends JobName> =
  | { readonly ok: true; readonly reply: Reply<N> }
  | { readonly ok: false; readonly error: ErrorMessage };
