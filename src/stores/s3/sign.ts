/** Signs requests to S3 with AWS's Signature Version 4. */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import type { SignatureV4 } from '@smithy/signature-v4';
import type { UnsignedRequest } from '../http/transport.ts';
import type { S3CredentialSource } from './credentials.ts';

/** @returns the headers to send: those of the request, and what makes it a signed one. */
export type S3Signer = (request: UnsignedRequest) => Promise<Record<string, string>>;

export interface S3SignerOptions {
  readonly region: string;
  /** Where without any, requests go as they are. */
  readonly credentials: S3CredentialSource;
  /** Whose requests are signed: no other host is to see a session token. */
  readonly origin: string;
}

export function openS3Signer({ region, credentials, origin }: S3SignerOptions): S3Signer {
  let library: Promise<typeof import('@smithy/signature-v4')> | undefined;
  return async (request) => {
    const found = request.url.origin === origin ? await credentials() : undefined;
    if (found === undefined) return { ...request.headers };
    library ??= import('@smithy/signature-v4'); // 30 ms, and few runs need it
    const { SignatureV4 } = await library;
    // Made anew each time, which costs nothing: what it keeps of credentials it keeps by their value.
    const signer = new SignatureV4({ service: 's3', region, credentials: found, sha256: Sha256, uriEscapePath: false });
    const { headers } = await signer.sign(canonical(request));
    delete headers.host; // the connection's business
    return { ...request.headers, ...headers };
  };
}

type RequestToSign = Extract<Parameters<SignatureV4['sign']>[0], { readonly method: string }>;

/** Only what says what the request means is signed: proxies change other headers. */
function canonical({ method, url, headers, payloadHash }: UnsignedRequest): RequestToSign {
  const signed = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-') || name === 'content-md5');
  return {
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    path: encodePath(url.pathname),
    query: Object.fromEntries(url.searchParams),
    headers: {
      ...Object.fromEntries(signed),
      host: url.host,
      ...(payloadHash !== undefined && { 'x-amz-content-sha256': payloadHash }),
    },
  };
}

/** S3 computes the signature from the key itself, however the path has spelled it. */
function encodePath(path: string): string {
  const encode = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(decodePath(path))
    .replace(/[!'()*]/g, encode)
    .replaceAll('%2F', '/');
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // no key of S3: it will say so
  }
}

/** Node's sha256 as the signer wants it: with a key, an HMAC. */
class Sha256 {
  readonly #key: Uint8Array | string | undefined;
  #hash: Hash | Hmac;

  constructor(key?: unknown) {
    this.#key = key === undefined || typeof key === 'string' ? key : toBytes(key);
    this.#hash = this.#open();
  }

  update(data: unknown): void {
    this.#hash.update(typeof data === 'string' ? data : toBytes(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#open();
  }

  #open(): Hash | Hmac {
    return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key);
  }
}

function toBytes(data: unknown): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data as ArrayBuffer);
}
