/**
 * Collects what one turn of the event loop has to say to another thread, and sends it as one message: as few as that
 * costs little, and as soon as that the other side does not wait for the end of a long turn.
 */
import type { MessagePort } from 'node:worker_threads';

/** Most that wait for the end of the turn. */
const ENOUGH = 8;

export class Outbox<M> {
  readonly #port: MessagePort;
  #messages: M[] = [];

  constructor(port: MessagePort) {
    this.#port = port;
  }

  push(message: M): void {
    this.#messages.push(message);
    if (this.#messages.length === 1) setImmediate(() => this.#flush());
    else if (this.#messages.length === ENOUGH) this.#flush();
  }

  #flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#port.postMessage(messages);
  }
}
