/** Whom a TLS connection trusts, and what to say where it does not. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import { StoreError } from '../../errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs;

const contexts = new Map<string, Promise<SecureContext>>();

/**
 * The options of TLS that trust the authorities in a file, and nobody else.
 *
 * @param file - setting `ssl-cert-file`: certificates in PEM, one after the other; '' for those that Node comes with.
 * @throws {StoreError} where it cannot be read, or holds no certificate.
 */
export async function trustOf(file: string): Promise<ConnectionOptions> {
  if (file === '') return {};
  let context = contexts.get(file);
  if (context === undefined) {
    context = readAuthorities(file);
    contexts.set(file, context); // reading 150 certificates takes 5 ms: once a thread, not once a connection
    context.catch(() => contexts.delete(file));
  }
  return { secureContext: await context };
}

async function readAuthorities(file: string): Promise<SecureContext> {
  const hint = "name a file of certificates in PEM with setting 'ssl-cert-file', or leave that empty for Node's own";
  try {
    const certificates = (await readFile(file, 'latin1')).match(CERTIFICATE);
    if (certificates === null) throw new Error(`'${file}' holds no certificate`);
    for (const certificate of certificates) new X509Certificate(certificate); // OpenSSL passes over broken ones
    const { createSecureContext } = await import('node:tls');
    return createSecureContext({ ca: certificates });
  } catch (cause) {
    const { message } = cause as Error;
    const named = message.includes(file) ? message : `'${file}': ${message}`;
    throw new StoreError(`cannot read the certificates of authorities: ${named}`, { cause, hint });
  }
}

/** What OpenSSL and Node call certificates that do not count, and what the user can do. */
const HINTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the certificate's time is over: see whether the clock of this machine is right",
  CERT_NOT_YET_VALID: "the certificate's time is still to come: see whether the clock of this machine is right",
  ERR_TLS_CERT_ALTNAME_INVALID: 'the server has the certificate of another host: see whether the URL is right',
};
const UNKNOWN_AUTHORITY =
  "nobody who is trusted has signed the certificate: name a file with its authority by setting 'ssl-cert-file'";
const CERTIFICATE_CODE =
  /^(?:CERT_|CRL_|UNABLE_TO_(?:GET|DECRYPT|DECODE|VERIFY)_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|ERROR_IN_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/;

/**
 * What to do about a connection that failed for the peer's certificate; undefined for any other failure. Trying again
 * helps with none of them.
 *
 * @param code - of the error that Node gave.
 */
export function certificateHint(code: string | undefined): string | undefined {
  if (code === undefined || !CERTIFICATE_CODE.test(code)) return undefined;
  return HINTS[code] ?? UNKNOWN_AUTHORITY;
}
