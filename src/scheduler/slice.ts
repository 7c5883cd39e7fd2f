/**
 * For how long one kind of work, of which there may be much, keeps the event loop before others have their turn, in
 * milliseconds. So little, because all kinds may come in one round of the loop, each with what it entails: of 3,000 builds
 * that are requested together, rounds of up to about 11 ms of work are what that comes to.
 */
export const SLICE = 2;
