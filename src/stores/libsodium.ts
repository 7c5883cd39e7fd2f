/**
 * Verifying signatures with the system's libsodium, as Nix does: 0.04 ms each, where OpenSSL in Node's thread pool takes
 * 0.12 ms of all cores together.
 *
 * Source: libsodium manual, "Public-key signatures".
 */
import { type VerifyDetached, verifyByOpenSsl } from '../formats/signature.ts';
import { loadLibrary } from './native.ts';

const PROTOTYPES = {
  sodium_init: 'int sodium_init()',
  crypto_sign_verify_detached:
    'int crypto_sign_verify_detached(const void *signature, const void *message, uint64_t length, const void *key)',
};

let loaded: VerifyDetached | undefined;

/** What verifies fastest here: libsodium, or where the system has none, OpenSSL. */
export function loadVerify(): VerifyDetached {
  loaded ??= verifyBySodium() ?? verifyByOpenSsl;
  return loaded;
}

function verifyBySodium(): VerifyDetached | undefined {
  const sodium = loadLibrary('sodium', PROTOTYPES);
  if (sodium === undefined || sodium.sodium_init() < 0) return undefined;
  return (message, signature, { key }) =>
    sodium.crypto_sign_verify_detached(signature, message, message.length, key) === 0;
}
