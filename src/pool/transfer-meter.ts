/** Counts what one transfer moves, and where its time goes. */
import type { Timings } from './messages.ts';

export class TransferMeter {
  readonly #started = performance.now();
  #firstByte: number | undefined;
  #downloadedBytes = 0;
  #narBytes = 0;

  /** Bytes have come over the wire. */
  readonly downloaded = (bytes: number): void => {
    this.#firstByte ??= performance.now();
    this.#downloadedBytes += bytes;
  };

  /** Bytes of the NAR have been taken. */
  unpacked(bytes: number): void {
    this.#firstByte ??= performance.now();
    this.#narBytes += bytes;
  }

  readonly progress = (): { downloadedBytes: number; narBytes: number } => ({
    downloadedBytes: this.#downloadedBytes,
    narBytes: this.#narBytes,
  });

  /** To be asked for when the transfer is done. */
  result(): { downloadedBytes: number; timings: Timings } {
    const ended = performance.now();
    const firstByte = this.#firstByte ?? ended;
    return {
      downloadedBytes: this.#downloadedBytes,
      timings: { wait: firstByte - this.#started, unpack: ended - firstByte },
    };
  }
}
