/** Every error this project throws on purpose, its public code, and its form on the way to another thread. */

/** Every code an error of this project carries. Codes are public: never reuse or rename one. */
export type ErrorCode =
  | 'ERR_BUILD'
  | 'ERR_FORMAT'
  | 'ERR_HASH_MISMATCH'
  | 'ERR_INCOMPLETE_CLOSURE'
  | 'ERR_INTERNAL'
  | 'ERR_INVALID_PATH'
  | 'ERR_NO_SUBSTITUTERS'
  | 'ERR_REMOTE'
  | 'ERR_STORE'
  | 'ERR_SUBSTITUTE_GONE'
  | 'ERR_TIMED_OUT'
  | 'ERR_TRANSFER'
  | 'ERR_UNTRUSTED'
  | 'ERR_USAGE';

export interface ErrorContext {
  /** The failure underneath, if any. */
  readonly cause?: unknown;
  /** What the user can do about it; one sentence, printed under the message. */
  readonly hint?: string | undefined;
  /** Whether the same thing may well succeed later: a connection that failed, a busy server. */
  readonly transient?: boolean | undefined;
  /** For how many milliseconds the peer asked not to be asked again. */
  readonly retryAfter?: number | undefined;
}

/** Root of every error this project throws on purpose. Match on `code`, never on the message. */
export abstract class SluiceError extends Error {
  abstract readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly transient: boolean;
  readonly retryAfter: number | undefined;

  constructor(message: string, { cause, hint, transient, retryAfter }: ErrorContext = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.hint = hint;
    this.transient = transient ?? false;
    this.retryAfter = retryAfter;
  }
}

/** The ways in which a build can fail, by the names of Nix. Source: Nix 2.35 libstore/build-result.hh. */
export const BUILD_FAILURES = [
  'permanentFailure',
  'inputRejected',
  'outputRejected',
  /** It may succeed the next time: a download of a fixed output, a full disk. */
  'transientFailure',
  'timedOut',
  'miscFailure',
  'dependencyFailed',
  'logLimitExceeded',
  'notDeterministic',
  /** A fixed output with other contents; protocols tell it as `outputRejected`. */
  'hashMismatch',
] as const;
export type BuildFailureStatus = (typeof BUILD_FAILURES)[number];

/** What is known of a build that failed. Plain data: it survives structured clone. */
export interface BuildFailure {
  readonly status: BuildFailureStatus;
  /** The last lines that the builder printed, as many as setting `log-lines` wants. */
  readonly logTail?: readonly string[] | undefined;
  /** Of `dependencyFailed`: which one failed first, with the store directory. */
  readonly dependency?: string | undefined;
  /** Where the build directory is kept, where setting `keep-failed` wants it. */
  readonly keptBuildDir?: string | undefined;
}

/** Whether it was never begun, because something failed that it needs: the failure of that is the `cause`. */
export function isDependencyFailure(error: SluiceError): error is BuildError {
  return error instanceof BuildError && error.failure.status === 'dependencyFailed';
}

/** A derivation that could not be built. */
export class BuildError extends SluiceError {
  readonly code = 'ERR_BUILD';
  readonly failure: BuildFailure;

  constructor(message: string, { failure, ...context }: ErrorContext & { readonly failure: BuildFailure }) {
    super(message, context);
    this.failure = failure;
  }
}

/** Bytes or text that break the grammar of a format. */
export class FormatError extends SluiceError {
  readonly code = 'ERR_FORMAT';
  readonly format: string;
  /** Where reading stopped, counted in bytes from the start of the input. */
  readonly offset: number;

  constructor(format: string, offset: number, problem: string, context?: ErrorContext) {
    super(`invalid ${format} at byte ${offset}: ${problem}`, context);
    this.format = format;
    this.offset = offset;
  }
}

/** Contents that are not what their hash or size says. */
export class HashMismatchError extends SluiceError {
  readonly code = 'ERR_HASH_MISMATCH';
  readonly wanted: string;
  readonly got: string;

  /** @param what - the thing whose contents are wrong, such as `NAR of '/nix/store/…'`. */
  constructor(what: string, wanted: string, got: string, context?: ErrorContext) {
    super(`mismatch in ${what}: wanted ${wanted}, got ${got}`, context);
    this.wanted = wanted;
    this.got = got;
  }
}

/** A path whose references could not all be had. */
export class IncompleteClosureError extends SluiceError {
  readonly code = 'ERR_INCOMPLETE_CLOSURE';
}

/** A failure that is this project's own fault, or of an unknown kind. */
export class InternalError extends SluiceError {
  readonly code = 'ERR_INTERNAL';
}

/** A store was asked for a path it does not hold. */
export class InvalidPathError extends SluiceError {
  readonly code = 'ERR_INVALID_PATH';

  constructor(path: string, storeUri: string, context?: ErrorContext) {
    super(`path '${path}' is not valid in store '${storeUri}'`, context);
  }
}

/** No substituter knows the path. */
export class NoSubstitutersError extends SluiceError {
  readonly code = 'ERR_NO_SUBSTITUTERS';
}

/** A store elsewhere has said why it could not do what it was asked for. */
export class RemoteError extends SluiceError {
  readonly code = 'ERR_REMOTE';
}

/** A store that cannot be opened, read or written as asked. */
export class StoreError extends SluiceError {
  readonly code = 'ERR_STORE';
}

/** A binary cache announced a NAR that is not there. */
export class SubstituteGoneError extends SluiceError {
  readonly code = 'ERR_SUBSTITUTE_GONE';
}

/** Nothing came for longer than a setting allows. */
export class TimedOutError extends SluiceError {
  readonly code = 'ERR_TIMED_OUT';

  constructor(message: string, context: ErrorContext = {}) {
    super(message, { transient: true, ...context });
  }
}

/** A download or upload that failed: connection, HTTP status, truncated body. */
export class TransferError extends SluiceError {
  readonly code = 'ERR_TRANSFER';
  /** The HTTP status, where the peer answered with one. */
  readonly status: number | undefined;

  constructor(message: string, { status, ...context }: ErrorContext & { readonly status?: number } = {}) {
    super(message, context);
    this.status = status;
  }
}

/** A path without a signature by a trusted key, where one is required. */
export class UntrustedError extends SluiceError {
  readonly code = 'ERR_UNTRUSTED';
}

/** A request that makes no sense as asked: unknown option, setting, scheme, parameter. */
export class UsageError extends SluiceError {
  readonly code = 'ERR_USAGE';
}

/** An error on its way to another thread. Structured clone keeps neither class nor `code`, so both travel as data. */
export interface ErrorMessage {
  readonly name: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly stack: string | undefined;
  readonly hint: string | undefined;
  readonly transient: boolean;
  readonly retryAfter: number | undefined;
  /** That of a {@link BuildError}. */
  readonly build?: BuildFailure | undefined;
}

/** An error thrown in another thread: its code and words, not its class. */
export class RelayedError extends SluiceError {
  readonly code: ErrorCode;

  constructor({ name, code, message, stack, hint, transient, retryAfter }: ErrorMessage) {
    super(message, { hint, transient, retryAfter });
    this.name = name;
    this.code = code;
    if (stack !== undefined) this.stack = stack;
  }
}

/** Makes an error ready for structured clone; what is no {@link SluiceError} becomes ERR_INTERNAL. */
export function encodeError(error: unknown): ErrorMessage {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  if (!(error instanceof SluiceError)) {
    return { name, message, stack, code: 'ERR_INTERNAL', hint: undefined, transient: false, retryAfter: undefined };
  }
  const { code, hint, transient, retryAfter } = error;
  const build = error instanceof BuildError ? error.failure : undefined;
  return { name, message, stack, code, hint, transient, retryAfter, build };
}

/** The error that {@link encodeError} made ready: a {@link BuildError} is one again, anything else is relayed. */
export function decodeError(message: ErrorMessage): SluiceError {
  if (message.build === undefined) return new RelayedError(message);
  const { hint, transient, retryAfter, build, stack } = message;
  const error = new BuildError(message.message, { hint, transient, retryAfter, failure: build });
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** The error itself, or what stands for it: anything that is no {@link SluiceError} becomes one of ERR_INTERNAL. */
export function asSluiceError(error: unknown): SluiceError {
  return error instanceof SluiceError ? error : new RelayedError(encodeError(error));
}
