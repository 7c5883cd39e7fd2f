/**
 * What lies between the pieces of a body that comes in chunks.
 *
 * Source: RFC 9112, 7.1.
 */

const SIZE_LINE = /^([0-9a-f]{1,12})[\t ]*(?:;.*)?$/i;
/** In bytes: of a line with a size, and of all that may follow the last chunk. */
const MAX_LINE = 4 * 1024;
const MAX_TRAILERS = 16 * 1024;

export class Chunks {
  /** Of the chunk that begins where the last call said, in bytes. */
  size = 0;
  /** Whether the body is complete. */
  isDone = false;
  #hasBegun = false;

  /**
   * Reads on after a chunk, or before the first.
   *
   * @returns the position after what lies there; undefined where not all of it has come.
   * @throws {Error} on what is no such body.
   */
  next(bytes: Buffer, position: number): number | undefined {
    const start = this.#hasBegun ? position + 2 : position;
    const end = bytes.indexOf('\r\n', start);
    if (end < 0) return expectMore(bytes.length - position, MAX_LINE);
    const size = SIZE_LINE.exec(bytes.toString('latin1', start, Math.min(end, start + MAX_LINE)))?.[1];
    if (size === undefined || (this.#hasBegun && bytes.indexOf('\r\n', position) !== position)) throw wrong();
    this.size = Number.parseInt(size, 16);
    if (this.size > 0) {
      this.#hasBegun = true;
      return end + 2;
    }
    // The line of the last chunk ends with the same bytes as each of the lines that may follow.
    const last = bytes.indexOf('\r\n\r\n', end);
    if (last < 0) return expectMore(bytes.length - end, MAX_TRAILERS);
    this.isDone = true;
    return last + 4;
  }
}

function expectMore(length: number, limit: number): undefined {
  if (length > limit) throw wrong();
}

function wrong(): Error {
  return new Error('the server sent a malformed chunk');
}
