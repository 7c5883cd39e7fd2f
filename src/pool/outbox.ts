/** Collects what one turn of the event loop has to say to another thread, and sends it as one message. */
import type { MessagePort } from 'node:worker_threads';

export class Outbox<M> {
  readonly #port: MessagePort;
  #messages: M[] = [];

  constructor(port: MessagePort) {
    this.#port = port;
  }

  push(message: M): void {
    if (this.#messages.length === 0) setImmediate(() => this.#flush());
    this.#messages.push(message);
  }

  #flush(): void {
    const messages = this.#messages;
    this.#messages = [];
    this.#port.postMessage(messages);
  }
}
