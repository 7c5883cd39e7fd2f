/**
 * The head of a response over HTTP/1.x, as servers in their right mind send it. What is not so is left to a parser that
 * knows all that there has ever been.
 *
 * Source: RFC 9112, 4 to 6 and 9.3; RFC 9110, 5.
 */

export interface ResponseHead {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the body in bytes; `Infinity` where it ends with the connection, undefined where it comes in chunks. */
  readonly length: number | undefined;
  /** Whether the connection ends with the response. */
  readonly isLast: boolean;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;

/**
 * @param text - one character a byte, without the empty line at its end.
 * @returns undefined where it is no such head, or leaves any doubt about where the response ends.
 */
export function parseResponseHead(text: string): ResponseHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, status] = STATUS_LINE.exec(first) ?? [];
  if (status === undefined) return undefined;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (colon < 0 || !NAME.test(name) || !VALUE.test(value)) return undefined;
    if (headers[name] !== undefined) return undefined; // twice, or a name that every object has
    headers[name] = value;
  }
  const persistence = (headers.connection ?? (minor === '1' ? 'keep-alive' : 'close')).toLowerCase();
  if (persistence !== 'keep-alive' && persistence !== 'close') return undefined;
  const framing = lengthOf(status, headers);
  if (framing === undefined) return undefined;
  const isLast = persistence === 'close' || framing.length === Number.POSITIVE_INFINITY;
  return { status: Number(status), headers, ...framing, isLast };
}

function lengthOf(status: string, headers: Readonly<Record<string, string>>): Pick<ResponseHead, 'length'> | undefined {
  if (status === '204' || status === '304') return { length: 0 };
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  if (encoding !== undefined) {
    return encoding.toLowerCase() === 'chunked' && length === undefined ? { length: undefined } : undefined;
  }
  if (length === undefined) return { length: Number.POSITIVE_INFINITY };
  return LENGTH.test(length) ? { length: Number(length) } : undefined;
}
