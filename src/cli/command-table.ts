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
    name: 'build',
    summary: 'make outputs of derivations valid, by fetching or building them',
    load: async () => (await import('./commands/build.ts')).buildCommand,
  },
  {
    name: 'copy',
    summary: 'copy store paths, with all that they refer to, from one store to another',
    load: async () => (await import('./commands/copy.ts')).copyCommand,
  },
  {
    name: 'export',
    summary: 'write store paths into one stream, or a tarball',
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  {
    name: 'import',
    summary: 'make valid what such a stream holds',
    load: async () => (await import('./commands/import.ts')).importCommand,
  },
  {
    name: 'path-info',
    summary: 'show what a store knows of store paths',
    load: async () => (await import('./commands/path-info.ts')).pathInfoCommand,
  },
  {
    name: 'query',
    summary: 'ask a store about paths and what they refer to',
    load: async () => (await import('./commands/query.ts')).queryCommand,
  },
  {
    name: 'derivation',
    summary: 'show derivations as JSON, and add them',
    load: async () => (await import('./commands/derivation.ts')).derivationCommand,
  },
  {
    name: 'why-depends',
    summary: 'show why a store path has another in its closure',
    load: async () => (await import('./commands/why-depends.ts')).whyDependsCommand,
  },
  {
    name: 'log',
    summary: 'print what the builders of store paths printed',
    load: async () => (await import('./commands/log.ts')).logCommand,
  },
  {
    name: 'store',
    summary: 'describe a store, and write down or load what it knows',
    load: async () => (await import('./commands/store.ts')).storeCommand,
  },
  {
    name: 'verify',
    summary: 'check that a local store holds what it should',
    load: async () => (await import('./commands/verify.ts')).verifyCommand,
  },
  {
    name: 'repair',
    summary: 'fetch again what is missing or modified of store paths',
    load: async () => (await import('./commands/repair.ts')).repairCommand,
  },
  {
    name: 'gc',
    summary: 'delete what no root keeps, or say what that is',
    load: async () => (await import('./commands/gc.ts')).gcCommand,
  },
  {
    name: 'optimise',
    summary: 'hard-link equal files of a local store',
    load: async () => (await import('./commands/optimise.ts')).optimiseCommand,
  },
  {
    name: 'add',
    summary: 'copy files into a local store',
    load: async () => (await import('./commands/add.ts')).addCommand,
  },
  {
    name: 'root',
    summary: 'add roots, which keep paths from being collected, and list them',
    load: async () => (await import('./commands/root.ts')).rootCommand,
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
    name: 'config',
    summary: 'show the settings that hold, and where they come from',
    load: async () => (await import('./commands/config.ts')).configCommand,
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
