/**
 * Lets undici read its sockets into the one buffer of the thread: see read-buffer.ts.
 *
 * It is Node's own option `onread`, which hands the bytes to a callback; undici takes them from `socket.read`.
 */
import type { OnReadOpts, Socket } from 'node:net';
import { READ_BUFFER } from './read-buffer.ts';

/**
 * Longer heads of responses undici refuses (Node's --max-http-header-size). Of a head that comes in several reads it
 * keeps the pieces as they lie, and each read with such a piece is shorter.
 */
const MAX_HEAD = 16 * 1024;

/** The option for net.connect and tls.connect, good for all sockets of a thread: each chunk is used up at once. */
export const onread: OnReadOpts = {
  buffer: READ_BUFFER,
  callback(this: unknown, length: number, buffer: Uint8Array): boolean {
    const socket = this as Socket;
    const reads = known.get(socket) ?? new SocketReads(socket);
    const read = buffer.subarray(0, length);
    const chunk = length < MAX_HEAD ? Buffer.from(read) : read;
    reads.unread = reads.unread === undefined ? chunk : Buffer.concat([reads.unread, chunk]);
    socket.emit('readable');
    if (reads.unread !== undefined) socket.unshift(reads.unread); // over TLS more may come although the parser is paused
    return !reads.stopped;
  },
};

const known = new WeakMap<Socket, SocketReads>();

/** Makes a socket hand out what was read into the buffer, and take back what is not wanted yet. */
class SocketReads {
  /** What has been read, and is not parsed yet. */
  unread: Uint8Array | undefined;
  /** Whether the socket reads nothing until it is asked again. */
  stopped = false;

  constructor(socket: Socket) {
    known.set(socket, this);
    const { read } = socket;
    socket.read = (size) => {
      if (size === 0 && this.unread !== undefined) return null; // Node looks for the end, which comes after this
      const chunk = this.unread;
      this.unread = undefined;
      if (chunk !== undefined) return chunk;
      if (this.stopped && !socket.destroyed) {
        this.stopped = false;
        socket._read(0);
      }
      return read.call(socket, size); // which ends the stream where it is at its end
    };
    // The parser has been paused. The buffer goes to other sockets meanwhile, so this is a copy.
    socket.unshift = (chunk) => {
      this.stopped = true;
      this.unread = chunk.length > 0 ? Buffer.from(chunk) : undefined;
    };
  }
}
