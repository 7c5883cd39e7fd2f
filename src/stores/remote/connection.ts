/**
 * One connection to a store elsewhere. It is asked for one thing at a time. Whoever stops in the middle of an answer
 * leaves it broken, and it is closed: the other side may be in the middle of a frame.
 */
import { SluiceError, TimedOutError, TransferError } from '../../errors.ts';
import { NarParser, type NarVisitor } from '../../formats/nar.ts';
import { Feeding, WireInput } from '../../formats/wire/feed.ts';
import type { Reading } from '../../formats/wire/read.ts';
import type { NarOptions, Sink } from '../store.ts';
import type { Channel, Explanation } from './channel.ts';

/** For how long the other side may keep us waiting. */
export interface Patience {
  /** 0 for ever. */
  readonly seconds: number;
  /** Whether all has to be done in that time, whatever comes meanwhile. */
  readonly whole: boolean;
  /** The setting that says so. */
  readonly setting: string;
}

const NOTHING: NarVisitor = {
  enterDirectory() {},
  leaveDirectory() {},
  file() {},
  contents() {},
  endFile() {},
  symlink() {},
};

export class Connection implements Disposable {
  readonly #channel: Channel;
  readonly #uri: string;
  readonly #input = new WireInput();
  #failure: { readonly error: unknown } | undefined;
  #ended = false;
  #busy = false;
  /** Wakes who waits for the other side; both at once where one writes while another reads. */
  readonly #waiting = new Set<() => void>();
  /** Counts what comes and goes. */
  #moved = 0;

  /** @param uri - of the store, without credentials. */
  constructor(channel: Channel, uri: string) {
    this.#channel = channel;
    this.#uri = uri;
    const { input, output } = channel;
    const wake = (): void => {
      for (const each of this.#waiting) each();
    };
    const fail = (cause: Error): void => {
      this.#failure ??= { error: this.#broken(cause) };
      wake();
    };
    const end = (): void => {
      this.#ended = true;
      wake();
    };
    input.on('readable', wake).on('error', fail).on('end', end).on('close', end);
    output.on('drain', wake).on('error', fail).on('close', end);
  }

  /** Whether it can be asked: nobody is in the middle of an answer, and the other side is there and silent. */
  get isIdle(): boolean {
    return !this.#busy && !this.#ended && this.#failure === undefined && this.#input.length === 0 && !this.#peek();
  }

  /** Why it ended, by what the other side has said beside the protocol. */
  explain(): Promise<Explanation | undefined> {
    return this.#channel.explain();
  }

  /** Something is asked. Until {@link Connection.settle} it counts as broken when nobody goes on with it. */
  begin(): void {
    this.#busy = true;
  }

  /** The answer has been read to its end. */
  settle(): void {
    this.#busy = false;
  }

  /** Ends it, so that whoever waits for the other side gets `error`. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#channel.destroy();
    for (const each of this.#waiting) each();
  }

  /** Fails with the reason of `signal` when it aborts, until it is disposed. */
  failOn(signal: AbortSignal | undefined): Disposable {
    const scope = new DisposableStack();
    if (signal === undefined) return scope;
    const abort = (): void => this.fail(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    scope.defer(() => signal.removeEventListener('abort', abort));
    return scope;
  }

  /** Fails where the other side takes too long, until it is disposed. Time when it is not waited for does not count. */
  limit({ seconds, whole, setting }: Patience): Disposable {
    const scope = new DisposableStack();
    if (seconds === 0) return scope;
    let seen = this.#moved;
    let ticks = 0;
    // A tenth at a time, so that time in which this thread was busy with something else is not taken for silence.
    const tick = (): void => {
      if (this.#waiting.size === 0 || (!whole && this.#moved !== seen)) ticks = whole ? ticks : 0;
      else ticks++;
      seen = this.#moved;
      if (ticks < 10) return;
      const what = whole ? 'has not answered' : 'has been silent';
      this.fail(new TimedOutError(`'${this.#uri}' ${what} for ${seconds} s (setting '${setting}')`));
    };
    scope.adopt(setInterval(tick, seconds * 100), clearInterval);
    return scope;
  }

  /** Hears lines that come beside the protocol, until it is disposed. */
  listen(onLine: ((line: string) => void) | undefined): Disposable {
    const scope = new DisposableStack();
    this.#channel.onLine = onLine;
    scope.defer(() => {
      this.#channel.onLine = undefined;
    });
    return scope;
  }

  /** @throws what the reading throws, and where the connection ends before it has read all. */
  async read<T>(reading: Reading<T>): Promise<T> {
    const feeding = new Feeding(reading, this.#input);
    for (;;) {
      const result = feeding.advance();
      if (result !== undefined) return result.value;
      await this.#receive();
    }
  }

  /**
   * Pours one NAR into `sink`, and nothing of what follows.
   *
   * @throws {FormatError} on what is no NAR.
   */
  async readNar(sink: Sink, onDownload?: NarOptions['onDownload']): Promise<void> {
    const parser = new NarParser(NOTHING);
    while (!parser.ended) {
      const chunk = this.#input.takeChunk();
      if (chunk === undefined) {
        await this.#receive();
        continue;
      }
      const taken = parser.take(chunk);
      this.#input.putBack(chunk.subarray(taken));
      onDownload?.(taken);
      const busy = sink(chunk.subarray(0, taken));
      if (busy !== undefined) await busy;
      this.#throwIfFailed();
    }
  }

  /** @param bytes - are kept until they are gone. @returns a promise where it has to be waited for before more is written. */
  write(bytes: Uint8Array): void | Promise<void> {
    this.#throwIfFailed();
    this.#moved++;
    if (!this.#channel.output.write(bytes)) return this.#drained();
  }

  [Symbol.dispose](): void {
    this.#failure ??= { error: new TransferError(`the connection to '${this.#uri}' is closed`) };
    this.#channel.destroy();
  }

  async #drained(): Promise<void> {
    while (this.#channel.output.writableNeedDrain) {
      await this.#wait();
      this.#throwIfFailed();
      if (this.#ended) throw this.#broken();
    }
    this.#moved++;
  }

  /** Waits until more has come. */
  async #receive(): Promise<void> {
    for (;;) {
      this.#throwIfFailed();
      if (this.#peek()) return;
      if (this.#ended) throw this.#broken();
      await this.#wait();
    }
  }

  /** Takes over what has come. */
  #peek(): boolean {
    const chunk = this.#channel.input.read() as Buffer | null;
    if (chunk === null) return false;
    this.#moved++;
    this.#input.push(chunk);
    return true;
  }

  async #wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    await promise;
    this.#waiting.delete(resolve);
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #broken(cause?: Error): SluiceError {
    if (cause instanceof SluiceError) return cause;
    const problem = cause === undefined ? 'ended early' : `is broken: ${cause.message}`;
    return new TransferError(`the connection to '${this.#uri}' ${problem}`, { cause, transient: true });
  }
}
