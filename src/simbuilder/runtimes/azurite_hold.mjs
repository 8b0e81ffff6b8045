// Loaded into Azurite, so that its folder can be copied while it runs.
//
// Azurite (3.37) keeps its indexes in memory and lets LokiJS write them every five seconds, so a copy
// of its folder lacks what was acknowledged last. On SIGUSR2 this writes all of them, creates the file
// SIMBUILDER_HELD, and answers nobody until that file is gone, or for a minute at most: whoever asked
// may have died. Nothing is acknowledged in between, so what lies in the folder is all there is.

import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import Module from 'node:module';

const held = process.env.SIMBUILDER_HELD;
const LONGEST_MS = 60_000;
const indexes = new Set();

const load = Module._load;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  if (request === 'lokijs') {
    Module._load = load;
    const configure = loaded.prototype.configureOptions;
    loaded.prototype.configureOptions = function (...options) {
      configure.apply(this, options);
      if (this.autosave) indexes.add(this); // others are copies it makes for writing
    };
  }
  return loaded;
};

function hold() {
  // a save under way would put an older state over ours
  if ([...indexes].some((index) => index.throttledSavePending)) {
    setTimeout(hold, 1);
    return;
  }
  try {
    for (const index of [...indexes].filter((one) => one.autosaveDirty())) { // others are as written
      writeFileSync(`${index.filename}.held`, index.serialize());
      renameSync(`${index.filename}.held`, index.filename);
    }
    writeFileSync(held, '');
  } catch (error) { // a full disk, say: not held, and whoever waits for it gives up
    console.error(`cannot be held: ${error.message}`);
    return;
  }
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + LONGEST_MS;
  while (existsSync(held) && performance.now() < end) Atomics.wait(cell, 0, 0, 1);
  rmSync(held, { force: true });
}

process.on('SIGUSR2', hold);
