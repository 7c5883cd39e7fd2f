/** Parses the command line and runs the command that it names, of which only that one's module is loaded. */
import { Command, CommanderError, Option } from 'commander';
import { Configuration } from '../nix-conf/configuration.ts';
import { isSettingOfNixOnly } from '../nix-conf/nix-settings.ts';
import { readConfiguration } from '../nix-conf/read-nix-conf.ts';
import type { Settings } from '../settings.ts';
import { narInfoCacheFile } from './cache-files.ts';
import type { Cli, Output, Work } from './command.ts';
import { COMMANDS, type CommandEntry } from './command-table.ts';
import { EXAMPLES, FOOTER, HELP } from './help.ts';
import { Interrupts } from './interrupts.ts';
import type { ErrorStream } from './progress/open-reporter.ts';
import { type Level, LOG_FORMATS, type LogFormat, type Reporter } from './progress/reporter.ts';
import { addSettingsFlags, rewriteFlags } from './settings-flags.ts';

/** For how long what binary caches say is remembered: with `--refresh`, not at all. */
const REMEMBERED = ['narinfo-cache-meta-ttl', 'narinfo-cache-negative-ttl', 'narinfo-cache-positive-ttl'] as const;

/** What the program sees of its process. */
export interface Host {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  readonly stderr: ErrorStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The version of this package; asked for only where it is printed. */
  version(): string;
}

/** @returns the exit code. Whatever goes wrong has been printed. */
export async function runProgram(args: readonly string[], host: Host): Promise<number> {
  using session = new Session(host);
  return await session.run(args);
}

/** One run of the program: what its flags say, and what it has opened. */
class Session implements Cli, Disposable {
  readonly #host: Host;
  readonly #resources = new DisposableStack();
  readonly #flags: (readonly [name: string, text: string])[] = [];
  #level: Level | undefined;
  #logFormat: LogFormat | undefined;
  #reporter: Reporter | undefined;
  #interrupts: Interrupts | undefined;
  configuration = new Configuration();
  debug = false;
  exitCode = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  get settings(): Settings {
    return this.configuration.settings;
  }

  get narInfoCache(): string | undefined {
    return narInfoCacheFile(this.#host.environment);
  }

  get stdin(): AsyncIterable<Uint8Array> {
    return this.#host.stdin;
  }

  get stdout(): Output {
    return this.#host.stdout;
  }

  async run(args: readonly string[]): Promise<number> {
    try {
      const words = rewriteFlags(helpFlag(args));
      const program = await this.#program(words);
      await program.parseAsync(words, { from: 'user' });
      return this.#interrupts?.exitCode ?? this.exitCode;
    } catch (error) {
      if (error instanceof CommanderError) return error.exitCode; // commander has printed it
      const interrupted = this.#interrupts?.exitCode;
      const isAbort = error instanceof Error && error.name === 'AbortError';
      if (interrupted === undefined || !isAbort) await this.#print(error);
      return interrupted ?? 1;
    }
  }

  async startWork(): Promise<Work> {
    const reporter = await this.#openReporter();
    const interrupts = this.#resources.use(
      new Interrupts({
        first: () => reporter.say('warn', 'interrupted, cleaning up (again to stop at once)'),
        second: () => reporter[Symbol.dispose](),
      }),
    );
    this.#interrupts = interrupts;
    return { reporter, signal: interrupts.signal };
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  /** Commands that none of the words names are there to be listed only: their modules stay unloaded. */
  async #program(words: readonly string[]): Promise<Command> {
    const program = new Command('sluice')
      .description('Fetches store paths for Nix-compatible stores, many at once, and builds what no cache has.')
      .exitOverride()
      .configureHelp(HELP)
      .configureOutput({
        writeOut: (text) => void this.#host.stdout.write(text),
        writeErr: (text) => void this.#host.stderr.write(text),
      })
      .helpCommand(false)
      .showHelpAfterError("Try 'sluice --help' for more information.")
      .optionsGroup('Common options:')
      .helpOption('-h, --help', 'show this help')
      .addHelpText('after', EXAMPLES)
      .hook('preAction', () => this.#readConfiguration());
    this.#addCommonFlags(program);
    for (const entry of COMMANDS) {
      const command = program.command(entry.name).summary(entry.summary);
      if (words.includes(entry.name)) await this.#configure(command, entry);
    }
    return program;
  }

  #addCommonFlags(program: Command): void {
    program
      .option('--version', 'print the version')
      .option('-v, --verbose', 'say more')
      .option('-q, --quiet', 'say only what goes wrong')
      .option('--debug', 'say everything, and show where errors come from')
      .option('--refresh', 'ask binary caches again for what is remembered of them')
      .addOption(new Option('--log-format <format>', 'how to tell of progress').choices(LOG_FORMATS));
    program.on('option:version', () => {
      void this.#host.stdout.write(`sluice ${this.#host.version()}\n`);
      throw new CommanderError(0, 'sluice.version', 'version');
    });
    program.on('option:verbose', () => (this.#level = 'talkative'));
    program.on('option:quiet', () => (this.#level = 'warn'));
    program.on('option:debug', () => {
      this.debug = true;
      this.#level = 'debug';
    });
    program.on('option:log-format', (format: LogFormat) => (this.#logFormat = format)); // the choices have been checked
    program.on('option:refresh', () => this.#flags.push(...REMEMBERED.map((name) => [name, '0'] as const)));
    addSettingsFlags(program, (...setting) => this.#flags.push(setting), isSettingOfNixOnly);
  }

  /** Not before there is something to do: help is there even where the configuration is broken. */
  async #readConfiguration(): Promise<void> {
    const { configuration, warnings } = readConfiguration(this.#host.environment);
    for (const [name, text] of this.#flags) configuration.set(name, text, 'flag');
    this.configuration = configuration;
    if (warnings.length === 0) return;
    const reporter = await this.#openReporter();
    for (const warning of warnings) reporter.say('warn', `warning: ${warning}`);
  }

  async #configure(command: Command, { name, summary, load }: CommandEntry): Promise<void> {
    const module = await load();
    command
      .description(summary)
      .optionsGroup('Options:')
      .helpOption('-h, --help', 'show this help')
      .helpCommand(false)
      .showHelpAfterError(`Try 'sluice ${name} --help' for more information.`);
    module.configure(command, this);
    command.addHelpText('after', FOOTER);
  }

  async #openReporter(): Promise<Reporter> {
    if (this.#reporter === undefined) {
      const { openReporter } = await import('./progress/open-reporter.ts');
      const { stderr, environment } = this.#host;
      const options = { format: this.#logFormat, level: this.#level, environment };
      this.#reporter = this.#resources.use(openReporter(stderr, options));
    }
    return this.#reporter;
  }

  async #print(error: unknown): Promise<void> {
    const [{ describeError }, reporter] = await Promise.all([import('./describe-error.ts'), this.#openReporter()]);
    reporter.say('error', describeError(error, this));
  }
}

/** `sluice help ls` is `sluice ls --help`: commander would show a command whose module is not loaded yet. */
function helpFlag(args: readonly string[]): readonly string[] {
  return args[0] === 'help' ? [...args.slice(1), '--help'] : args;
}
