/** Every command, and where its module is. */
import type { CommandModule } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  /** One line for help, without capital and full stop. */
  readonly summary: string;
  load(): Promise<CommandModule>;
}

/** In the order in which help lists them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'realise',
    summary: 'make store paths valid, with all that they refer to',
    load: async () => (await import('./commands/realise.ts')).realiseCommand,
  },
  {
    name: 'copy',
    summary: 'copy store paths, with all that they refer to, from one store to another',
    load: async () => (await import('./commands/copy.ts')).copyCommand,
  },
  {
    name: 'path-info',
    summary: 'show what a store knows of store paths',
    load: async () => (await import('./commands/path-info.ts')).pathInfoCommand,
  },
  {
    name: 'verify',
    summary: 'check that a local store holds what it should',
    load: async () => (await import('./commands/verify.ts')).verifyCommand,
  },
  {
    name: 'ls',
    summary: 'list the files of a store path',
    load: async () => (await import('./commands/ls.ts')).lsCommand,
  },
  {
    name: 'cat',
    summary: 'print a file of a store path',
    load: async () => (await import('./commands/cat.ts')).catCommand,
  },
  {
    name: 'nar',
    summary: 'make, unpack and list Nix archives',
    load: async () => (await import('./commands/nar.ts')).narCommand,
  },
  {
    name: 'hash',
    summary: 'compute hashes, and spell them in other ways',
    load: async () => (await import('./commands/hash.ts')).hashCommand,
  },
  {
    name: 'key',
    summary: 'make keys that sign store paths',
    load: async () => (await import('./commands/key.ts')).keyCommand,
  },
  {
    name: 'bench',
    summary: 'measure how fast a binary cache delivers',
    load: async () => (await import('./commands/bench.ts')).benchCommand,
  },
  {
    name: 'demo',
    summary: 'show what sluice does, on a binary cache of its own',
    load: async () => (await import('./commands/demo.ts')).demoCommand,
  },
];
