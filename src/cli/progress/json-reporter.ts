/**
 * Progress for programs, as `nix --log-format internal-json` prints it: lines of `@nix {…}` that start and stop
 * activities and tell how far they are. nix-output-monitor and others read it.
 *
 * Source: Nix 2.35 libutil/logging.{hh,cc}; what `nix copy` and `nix-store -r` print.
 */
import type { EventEmitter } from 'eventemitter3';
import { printStorePath, type StorePath } from '../../formats/store-path.ts';
import type { SchedulerEvents, TransferView } from '../../goals/events.ts';
import { buildingPath, sayBuildWarnings } from './build-messages.ts';
import type { CheckView } from './frame.ts';
import { copyingPath, sayDetails, waitingForLock } from './messages.ts';
import { type Clock, isWanted, LEVELS, type Level, type Reporter, type Route } from './reporter.ts';
import { summaryOf } from './summary.ts';
import { Tally } from './tally.ts';

const ACTIVITY = {
  copyPath: 100,
  fileTransfer: 101,
  realise: 102,
  copyPaths: 103,
  builds: 104,
  build: 105,
  optimiseStore: 106,
  verifyPaths: 107,
  substitute: 108,
  buildWaiting: 111,
} as const;
const CHECKS = {
  check: 'checking store paths',
  measure: 'measuring store paths',
  optimise: 'optimising store paths',
} as const;
const RESULT = { buildLogLine: 101, setPhase: 104, progress: 105, setExpected: 106 } as const;

type Field = string | number;

interface StartOptions {
  readonly level?: Level;
  readonly text?: string;
  readonly fields?: readonly Field[];
  readonly parent?: number;
}

/** The activities of one running transfer. */
interface Transfer {
  readonly substitute: number;
  readonly copyPath: number;
  /** Undefined where nothing is downloaded. */
  readonly fileTransfer: number | undefined;
}

export class JsonReporter implements Reporter {
  readonly #write: (text: string) => void;
  readonly #level: Level;
  readonly #clock: Clock;
  readonly #tally: Tally;
  readonly #firstId: number;
  /** Activities that were started, and not stopped. */
  readonly #open = new Set<number>();
  readonly #transfers = new Map<StorePath, Transfer>();
  readonly #running = new Map<StorePath, number>();
  #started = 0;
  #failed = 0;
  #realise = 0;
  #copyPaths = 0;
  /** The activity of all builds, where there are any. */
  #builds: number | undefined;
  #verifyPaths: number | undefined;

  /** @param processId - makes activities of several processes different; the ids stay exact as doubles. */
  constructor(write: (text: string) => void, level: Level, clock: Clock, processId: number) {
    this.#write = write;
    this.#level = level;
    this.#clock = clock;
    this.#tally = new Tally(() => clock.now());
    this.#firstId = (processId % 2 ** 20) * 2 ** 32;
  }

  follow(events: EventEmitter<SchedulerEvents>, route: Route): void {
    this.#realise = this.#start(ACTIVITY.realise);
    this.#copyPaths = this.#start(ACTIVITY.copyPaths, { parent: this.#realise });
    this.#tally.follow(events);
    this.#followBuilds(events, route);
    events.on('transferExpected', () => {
      const { downloadBytes, narBytes } = this.#tally.totals;
      if (downloadBytes !== undefined) this.#setExpected(ACTIVITY.fileTransfer, downloadBytes);
      this.#setExpected(ACTIVITY.copyPath, narBytes);
      this.#showPaths();
    });
    events.on('transferStarted', (view) => this.#startTransfer(view, route));
    events.on('transferProgress', (progress) => {
      const transfer = this.#transfers.get(progress.path);
      if (transfer !== undefined) this.#showTransfer(transfer, progress, progress);
    });
    events.on('transferFinished', ({ downloadedBytes, ...view }) => {
      const transfer = this.#transfers.get(view.path);
      if (transfer === undefined) return;
      this.#showTransfer(transfer, view, { downloadedBytes, narBytes: view.narSize });
      this.#stopTransfer(view.path);
    });
    events.on('transferFailed', ({ path, error }) => {
      if (error !== undefined) this.#failed++;
      this.#stopTransfer(path);
    });
    events.on('pathsRegistered', () => this.#showPaths());
    this.#followLockWaits(events, route);
    sayDetails(events, route, (level, text) => this.say(level, text));
  }

  summarise(): void {
    const summary = summaryOf(this.#tally, this.#clock.now());
    if (summary !== undefined) this.say('notice', summary);
  }

  showCheck({ verb = 'check', done, expected }: CheckView): void {
    const type = verb === 'optimise' ? ACTIVITY.optimiseStore : ACTIVITY.verifyPaths;
    this.#verifyPaths ??= this.#start(type, { level: 'info', text: CHECKS[verb] });
    this.#progress(this.#verifyPaths, done, expected);
  }

  say(level: Level, text: string): void {
    if (isWanted(level, this.#level)) this.#put({ action: 'msg', level: LEVELS.indexOf(level), msg: text });
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#open].reverse()) this.#stop(id);
  }

  #followBuilds(events: EventEmitter<SchedulerEvents>, route: Route): void {
    const result = (drvPath: StorePath, type: number, field: string): void => {
      const id = this.#running.get(drvPath);
      if (id !== undefined) this.#put({ action: 'result', fields: [field], id, type });
    };
    events.on('buildExpected', () => this.#showBuilds());
    events.on('buildStarted', ({ machine, ...view }) => {
      const fields = [printStorePath(route.storeDir, view.drvPath), machine ?? '', 1, 1];
      const text = buildingPath(view, machine, route);
      this.#running.set(
        view.drvPath,
        this.#start(ACTIVITY.build, { level: 'info', text, fields, parent: this.#buildsActivity() }),
      );
      this.#showBuilds();
    });
    events.on('buildPhase', ({ drvPath, phase }) => result(drvPath, RESULT.setPhase, phase));
    events.on('buildLog', ({ drvPath, lines }) => {
      for (const line of lines) result(drvPath, RESULT.buildLogLine, line);
    });
    sayBuildWarnings(events, (level, text) => this.say(level, text));
    events.on('buildFinished', ({ drvPath }) => this.#stopBuild(drvPath));
    events.on('buildFailed', ({ drvPath }) => this.#stopBuild(drvPath));
  }

  #followLockWaits(events: EventEmitter<SchedulerEvents>, route: Route): void {
    const waits = new Map<StorePath, number>();
    events.on('lockWaitStarted', (view) => {
      const text = waitingForLock(view, route);
      waits.set(view.subject, this.#start(ACTIVITY.buildWaiting, { level: 'warn', text, parent: this.#realise }));
    });
    events.on('lockWaitEnded', ({ subject }) => {
      const id = waits.get(subject);
      waits.delete(subject);
      if (id !== undefined) this.#stop(id);
    });
  }

  #buildsActivity(): number {
    this.#builds ??= this.#start(ACTIVITY.builds, { parent: this.#realise });
    return this.#builds;
  }

  #stopBuild(drvPath: StorePath): void {
    const id = this.#running.get(drvPath);
    this.#running.delete(drvPath);
    if (id !== undefined) this.#stop(id);
    this.#showBuilds();
  }

  #showBuilds(): void {
    const { done, expected, running, failed } = this.#tally.builds;
    this.#progress(this.#buildsActivity(), done, expected, running.size, failed);
  }

  #startTransfer(view: TransferView, route: Route): void {
    const path = printStorePath(route.storeDir, view.path);
    // Nix calls a local store `local` here, wherever it is, and that is what readers know.
    const [from, to] = [view.substituter, route.to].map((uri) => (uri.startsWith('local') ? 'local' : uri)) as [
      string,
      string,
    ];
    const substitute = this.#start(ACTIVITY.substitute, { fields: [path, from], parent: this.#realise });
    const copyPath = this.#start(ACTIVITY.copyPath, {
      level: 'info',
      text: copyingPath(view, route),
      fields: [path, from, to],
      parent: substitute,
    });
    const fileTransfer = /^https?:/.test(from)
      ? this.#start(ACTIVITY.fileTransfer, {
          level: 'talkative',
          text: `downloading '${path}' from '${from}'`,
          fields: [from],
          parent: copyPath,
        })
      : undefined;
    this.#transfers.set(view.path, { substitute, copyPath, fileTransfer });
    this.#showPaths();
  }

  #showTransfer(
    { copyPath, fileTransfer }: Transfer,
    { narSize, downloadSize }: TransferView,
    { narBytes, downloadedBytes }: { readonly narBytes: number; readonly downloadedBytes: number },
  ): void {
    this.#progress(copyPath, narBytes, narSize);
    if (fileTransfer !== undefined) this.#progress(fileTransfer, downloadedBytes, downloadSize ?? 0);
  }

  #stopTransfer(path: StorePath): void {
    const transfer = this.#transfers.get(path);
    this.#transfers.delete(path);
    for (const id of [transfer?.fileTransfer, transfer?.copyPath, transfer?.substitute]) {
      if (id !== undefined) this.#stop(id);
    }
    this.#showPaths();
  }

  #showPaths(): void {
    const { registered, totals } = this.#tally;
    this.#progress(this.#copyPaths, registered, totals.paths, this.#transfers.size, this.#failed);
  }

  #start(type: number, { level = 'error', text = '', fields = [], parent = 0 }: StartOptions = {}): number {
    const id = this.#firstId + this.#started++;
    this.#open.add(id);
    this.#put({
      action: 'start',
      ...(fields.length > 0 && { fields }),
      id,
      level: LEVELS.indexOf(level),
      parent,
      text,
      type,
    });
    return id;
  }

  #stop(id: number): void {
    this.#open.delete(id);
    this.#put({ action: 'stop', id });
  }

  #progress(id: number, done: number, expected: number, running = 0, failed = 0): void {
    this.#put({ action: 'result', fields: [done, expected, running, failed], id, type: RESULT.progress });
  }

  #setExpected(type: number, bytes: number): void {
    this.#put({ action: 'result', fields: [type, bytes], id: this.#realise, type: RESULT.setExpected });
  }

  #put(message: object): void {
    this.#write(`@nix ${JSON.stringify(message)}\n`);
  }
}
