/** What builders that are part of the program get, and how they fail. */
import { BuildError, type BuildFailureStatus, type ErrorContext } from '../../errors.ts';
import type { BasicDerivation } from '../../formats/derivation.ts';
import type { RateLimit } from '../../pool/rate-limit.ts';
import type { Settings } from '../../settings.ts';

export interface BuiltinContext {
  readonly derivation: BasicDerivation;
  /** Its variables, with the paths of outputs in the place of what stands for them. */
  readonly env: ReadonlyMap<string, string>;
  /** By the name of each output: where it is to be made, in a directory that exists. */
  readonly outputs: ReadonlyMap<string, string>;
  /**
   * Where something in the store lies; takes and gives full paths.
   *
   * @throws {FormatError} on what is in no store path.
   */
  realPath(fullStorePath: string): string;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Adds a line to the log. */
  log(line: string): void;
  /** More bytes came over the wire. */
  onDownloaded(bytes: number): void;
  /** That of all threads together, where there is one. */
  readonly downloadLimit?: RateLimit | undefined;
}

/** Makes the outputs, and is done when they are there. */
export type Builtin = (context: BuiltinContext) => Promise<void>;

/** @throws {BuildError} where the variable is missing. */
export function variable({ derivation, env }: BuiltinContext, name: string): string {
  const value = env.get(name);
  if (value === undefined)
    throw builtinFailure(`${derivation.builder} of '${derivation.name}': attribute '${name}' missing`);
  return value;
}

/** @throws {BuildError} where there is no output of that name. */
export function outputLocation({ derivation, outputs }: BuiltinContext, name = 'out'): string {
  const location = outputs.get(name);
  if (location === undefined) throw builtinFailure(`'${derivation.builder}' requires an '${name}' output`);
  return location;
}

/** A failure of such a builder. */
export function builtinFailure(
  message: string,
  { status = 'permanentFailure', ...context }: ErrorContext & { readonly status?: BuildFailureStatus } = {},
): BuildError {
  return new BuildError(message, { ...context, failure: { status } });
}
