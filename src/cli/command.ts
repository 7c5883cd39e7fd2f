/** What a command is, and what it may ask of the program that runs it. */
import type { Command } from 'commander';
import type { Configuration } from '../nix-conf/configuration.ts';
import type { Settings } from '../settings.ts';
import type { Reporter } from './progress/reporter.ts';

/** One command, in a file of its own: `commands/NAME.ts` exports `NAMECommand`. */
export interface CommandModule {
  /**
   * Adds description, arguments, options, help and action to the command that the program has made. What the action
   * throws is printed, and makes the exit code 1.
   */
  configure(command: Command, cli: Cli): void;
}

export interface Cli {
  /** The defaults with what the configuration files and the flags say. Complete when an action runs. */
  readonly settings: Settings;
  /** The same, and where each setting comes from. */
  readonly configuration: Configuration;
  /** The file in which what binary caches say of paths is remembered. */
  readonly narInfoCache: string | undefined;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  /** Whether errors are printed with their stacks. */
  readonly debug: boolean;
  /** The process's exit code where nothing is thrown: 0, or what an action sets. */
  exitCode: number;

  /** For what takes its time: from here on Ctrl-C no longer ends the process but aborts `signal`. */
  startWork(): Promise<Work>;
}

export interface Work {
  readonly reporter: Reporter;
  /** Aborts at SIGINT, SIGTERM and SIGHUP. A second one ends the process. */
  readonly signal: AbortSignal;
}

/** Where results go. Messages go through {@link Reporter}. */
export interface Output {
  /** Whether a person is likely to be looking. */
  readonly isTerminal: boolean;
  /** Done when the bytes have been taken: until then the chunk must not change. */
  write(bytes: Uint8Array | string): Promise<void>;
}
