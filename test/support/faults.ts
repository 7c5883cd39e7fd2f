/** What a server can do wrong, one kind a fault. Offsets and lengths are in bytes, times in milliseconds. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/** What to do with one request in place of serving the file. Where `after` is left out not even the status line comes. */
export type Fault =
  /** Stops for good: after so many bytes of the body, with the connection open. */
  | { readonly kind: 'hang'; readonly after?: number }
  /** Ends the connection by a RST, after so many bytes of the body. */
  | { readonly kind: 'reset'; readonly after?: number }
  /** Ends the connection in good order, but after so many bytes of the body. */
  | { readonly kind: 'close'; readonly after?: number }
  /** Sends so many bytes of the body each so many milliseconds; what is before `from` comes at once. */
  | { readonly kind: 'drip'; readonly bytes: number; readonly milliseconds: number; readonly from?: number }
  /** Is right, but late: by a time, or until something has happened. */
  | { readonly kind: 'late'; readonly milliseconds?: number; readonly until?: Promise<unknown> }
  /** Answers with another status, such as 429 with `{'retry-after': '1'}`. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: OutgoingHttpHeaders;
      readonly body?: string | Uint8Array;
    }
  /** Announces a length that is wrong by so many bytes; where it is too long the connection ends after the body. */
  | { readonly kind: 'length'; readonly by: number }
  /** Announces no length: the body comes in chunks, of at most so many bytes. */
  | { readonly kind: 'chunked'; readonly size?: number }
  /** Answers a Range request with the whole file and status 200, and says nothing of ranges. */
  | { readonly kind: 'ignoreRange' }
  /** Answers a Range request with 206, but the bytes from another offset, and says so (or keeps to what was asked). */
  | { readonly kind: 'wrongRange'; readonly offset: number; readonly lie?: boolean }
  /** Flips one bit of the byte at an offset of the file. */
  | { readonly kind: 'corrupt'; readonly at: number }
  /** Sends something else, or the same file under another ETag: as if it had been replaced. Serves ranges of it. */
  | {
      readonly kind: 'replace';
      readonly body?: string | Uint8Array;
      readonly etag?: string;
      readonly headers?: OutgoingHttpHeaders;
    }
  /** Redirects (302, or as said) to a URL, which may be relative; a plan that always does is a loop. */
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number }
  /** Sends the file under a Content-Encoding. */
  | { readonly kind: 'encode'; readonly encoding: 'br' | 'deflate' | 'gzip' | 'zstd' }
  /** Sends header lines for as long as anyone reads. */
  | { readonly kind: 'endlessHeaders' }
  /** Sends zeros in place of the file: as many as announced, or without announcing and without end. */
  | { readonly kind: 'flood'; readonly length?: number };

/** What a server can do with a connection before it has read a byte: with TLS that is instead of the handshake. */
export type ConnectionFault = 'hang' | 'reset' | 'close';

/** A request, as a plan sees it and as it is kept. */
export interface FaultRequest {
  /** What is asked for, without the slash at its beginning, with its query. */
  readonly name: string;
  /** How often that has been asked for, this time included. */
  readonly attempt: number;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** Decides for each request; undefined serves the file. */
export type FaultPlan = (request: FaultRequest) => Fault | undefined;
