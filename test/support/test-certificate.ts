/** A certificate for 127.0.0.1, localhost and server.test that signs itself, made by openssl. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from './run.ts';
import { makeScratch } from './scratch.ts';

/** Both in PEM. A client trusts the certificate by taking it as its authority. */
export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

export async function makeCertificate(): Promise<TestCertificate> {
  await using scratch = await makeScratch();
  const [key, cert] = [join(scratch.path, 'key.pem'), join(scratch.path, 'cert.pem')];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:server.test'];
  await output('openssl', [...request, ...names, '-keyout', key, '-out', cert]);
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
}
