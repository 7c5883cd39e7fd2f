/** The part of undici that is loaded: all of it takes 60 to 180 ms in every thread. */
declare module 'undici/lib/dispatcher/agent.js' {
  export { Agent as default } from 'undici';
}
