/**
 * Reads the configuration as Nix does: the file of the system, those of the user, and NIX_CONFIG, each on top of the
 * ones before.
 *
 * Source: Nix 2.35 libstore/globals.cc, loadConfFile; libutil/configuration.cc.
 */
import { dirname, join, resolve } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import { UsageError } from '../errors.ts';
import { parseNixConf } from '../formats/nix-conf.ts';
import { quote } from '../formats/quote.ts';
import { findSetting, type Settings } from '../settings.ts';
import { Configuration } from './configuration.ts';
import { certificateFile, configurationDirectory, configurationFiles, type Environment } from './environment.ts';
import { isSettingOfNixOnly } from './nix-settings.ts';
import { TextFiles } from './text-files.ts';

/** Files that include one another, one below the other. */
const MAX_DEPTH = 16;

/** A configuration, and what its reader should be told. */
export interface NixConf {
  readonly configuration: Configuration;
  /** One sentence each, such as `unknown setting 'frob'`. */
  readonly warnings: readonly string[];
}

/**
 * The settings of this machine and user, for a program that wants them: no other part of this library reads a file.
 *
 * @example
 * const { settings } = readNixConf();
 * await using scheduler = await Scheduler.open({ store: 'local', settings });
 * @throws {UsageError} on a line or a value that makes no sense; the message begins with file and line.
 */
export function readNixConf(environment: Environment = process.env): {
  readonly settings: Settings;
  readonly warnings: readonly string[];
} {
  const { configuration, warnings } = readConfiguration(environment);
  return { settings: configuration.settings, warnings };
}

/** The same, with where each setting comes from. */
export function readConfiguration(environment: Environment): NixConf {
  const reader = new Reader(environment);
  for (const path of configurationFiles(environment)) reader.readFile(path);
  if (environment.NIX_CONFIG !== undefined) reader.readVariable(environment.NIX_CONFIG);
  return reader;
}

class Reader implements NixConf {
  readonly configuration: Configuration;
  readonly #files = new TextFiles();
  readonly #warnings = new Set<string>();

  constructor(environment: Environment) {
    this.configuration = new Configuration({ netrcFile: join(configurationDirectory(environment), 'netrc') });
    const certificates = certificateFile(environment);
    if (certificates) this.configuration.set('ssl-cert-file', certificates.file, certificates.variable);
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /** A file that nobody has to have. One that is there and cannot be read is no reason to stop either, as with Nix. */
  readFile(path: string): void {
    const text = this.#tryRead(path);
    if (text instanceof Error) this.#warnUnread(path, text);
    else this.#apply(text, path, 0);
  }

  readVariable(text: string): void {
    this.#files.count(text.length, 'NIX_CONFIG');
    this.#apply(text, 'NIX_CONFIG', 0);
  }

  #apply(text: string, source: string, depth: number): void {
    for (const entry of parseNixConf(text, source)) {
      const origin = `${source}:${entry.line}`;
      if (entry.kind === 'include') this.#include(resolve(dirname(source), entry.path), entry.required, origin, depth);
      else this.#set(entry.name, entry.value, origin);
    }
  }

  #include(path: string, required: boolean, origin: string, depth: number): void {
    if (depth === MAX_DEPTH) throw new UsageError(`${origin}: includes are nested more than ${MAX_DEPTH} deep`);
    const text = this.#tryRead(path);
    if (!(text instanceof Error)) this.#apply(text, path, depth + 1);
    else if (!required)
      return; // secrets are often included so, and only root reads them
    else if (isMissing(text)) throw new UsageError(`${origin}: there is no file '${path}' to include`);
    else this.#warnUnread(path, text);
  }

  #set(name: string, value: string, origin: string): void {
    if (findSetting(name) === undefined) {
      if (!isSettingOfNixOnly(name)) this.#warnings.add(`unknown setting ${quote(name)}`);
      return;
    }
    try {
      this.configuration.set(name, value, origin);
    } catch (error) {
      throw error instanceof UsageError ? new UsageError(`${origin}: ${error.message}`, { cause: error }) : error;
    }
  }

  #tryRead(path: string): string | NodeJS.ErrnoException {
    try {
      return this.#files.read(path);
    } catch (error) {
      if (error instanceof Error && 'errno' in error) return error as NodeJS.ErrnoException;
      throw error;
    }
  }

  #warnUnread(path: string, error: NodeJS.ErrnoException): void {
    if (isMissing(error)) return;
    this.#warnings.add(`cannot read configuration file '${path}': ${getSystemErrorMessage(error.errno!)}`);
  }
}

function isMissing({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR';
}
