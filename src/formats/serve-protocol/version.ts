/**
 * The serve protocol, which `nix-store --serve` speaks: versions, commands, and how a connection begins.
 *
 * Source: Nix 2.35 libstore/serve-protocol.hh, serve-protocol-connection.cc.
 */
import { type Reading, readInteger, readMagic, wireError } from '../wire/read.ts';
import { WireWriter } from '../wire/write.ts';

const CLIENT_MAGIC = 0x390c9deb;
const SERVER_MAGIC = 0x5452eecb;
const MAJOR = 2;

/** What is spoken here at best, and at least. The major version is 2. */
export const SERVE_MINOR = 8;
const OLDEST_MINOR = 5;

/** Commands, each by its number. */
export const SERVE_COMMANDS = {
  queryValidPaths: 1,
  queryPathInfos: 2,
  dumpStorePath: 3,
  buildPaths: 6,
  queryClosure: 7,
  buildDerivation: 8,
  addToStoreNar: 9,
} as const;
export type ServeCommand = keyof typeof SERVE_COMMANDS;

/** The first that a client says. */
export function writeServeHello(): Buffer {
  return new WireWriter()
    .integer(CLIENT_MAGIC)
    .integer(MAJOR * 256 + SERVE_MINOR)
    .finish();
}

/**
 * The answer to it.
 *
 * @returns the minor version that both sides speak.
 * @throws {FormatError} on anything else than `nix-store --serve`, and on one that is too old or too new.
 */
export function* readServeHello(): Reading<number> {
  yield* readMagic(SERVER_MAGIC, 'serve protocol');
  const version = yield* readInteger();
  const [major, minor] = [Math.floor(version / 256), version % 256];
  if (major !== MAJOR || minor < OLDEST_MINOR) {
    throw wireError(
      `it speaks version ${major}.${minor} of the serve protocol, wanted ${MAJOR}.${OLDEST_MINOR} or later`,
    );
  }
  return Math.min(minor, SERVE_MINOR);
}
