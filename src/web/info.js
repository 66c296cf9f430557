/** The status panel: how the connection is doing, measured only while one looks. */

import { byId, make } from './dom.js';
import { text } from './messages.js';
import { encodingName } from './meter.js';

/** @typedef {import('./meter.js').Meter} Meter */

const EVERY_MS = 1000;
const UNKNOWN = '–';

const ROWS = ['name', 'size', 'proxy', 'roundTrip', 'frames', 'received', 'sent', 'encoding', 'time'];

export class Info {
  /** @type {{session: any, meter: Meter, url: URL, name: () => string} | null} */ #source = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #timer;
  /** What it was a moment ago. */ #before = { at: 0, frames: 0, received: 0, sent: 0 };
  #panels;

  /** @param {import('./panels.js').Panels} panels */
  constructor(panels) {
    this.#panels = panels;
    panels.onChange(() => this.#run());
  }

  /** @param {{session: any, meter: Meter, url: URL, name: () => string} | null} source */
  attach(source) {
    this.#source = source;
    this.#run();
  }

  #run() {
    clearInterval(this.#timer);
    if (this.#panels.open !== 'info' || !this.#source) return;
    byId('info').replaceChildren(...ROWS.flatMap((row) => [
      make('dt', {}, text(`info.${row}`)), make('dd', { id: `info-${row}`, dir: 'auto' }, UNKNOWN)]));
    this.#remember();
    this.#update();
    this.#timer = setInterval(() => this.#update(), EVERY_MS);
  }

  #remember() {
    const { meter } = this.#source ?? {};
    this.#before = {
      at: performance.now(), frames: meter?.frames ?? 0, received: meter?.received ?? 0, sent: meter?.sent ?? 0,
    };
  }

  #update() {
    if (!this.#source) return;
    const { session, meter, url, name } = this.#source;
    const seconds = (performance.now() - this.#before.at) / 1000;
    const known = seconds > 0.5;
    /** @param {number} now @param {number} before */
    const rate = (now, before) => (known ? (now - before) / seconds : 0);
    const canvas = document.querySelector('#screen canvas');
    /** @type {Record<string, string>} */
    const values = {
      name: name(),
      size: canvas instanceof HTMLCanvasElement ? remoteSize(session, canvas) : '',
      proxy: `${url.host}, ${text(url.protocol === 'wss:' ? 'info.encrypted' : 'info.unencrypted')}`,
      roundTrip: meter.roundTrip === null ? '' : `${Math.max(1, Math.round(meter.roundTrip))} ms`,
      frames: meter.frames === null || !known ? '' : rate(meter.frames, this.#before.frames).toFixed(0),
      received: `${bytes(meter.received)} (${bytes(rate(meter.received, this.#before.received))}/s)`,
      sent: `${bytes(meter.sent)} (${bytes(rate(meter.sent, this.#before.sent))}/s)`,
      encoding: encodingName(meter.encoding),
      time: duration(meter.since),
    };
    for (const row of ROWS) byId(`info-${row}`).textContent = values[row] || UNKNOWN;
    this.#remember();
    session.ping?.();
  }
}

/** @param {any} session @param {HTMLCanvasElement} canvas clipped, it shows less than there is */
function remoteSize(session, canvas) {
  const width = session._fbWidth ?? canvas.width;
  const height = session._fbHeight ?? canvas.height;
  return `${width} × ${height}`;
}

/** @param {number} count */
function bytes(count) {
  for (const [unit, size] of /** @type {const} */ ([['GB', 1e9], ['MB', 1e6], ['kB', 1e3]])) {
    if (count >= size) return `${(count / size).toFixed(count >= 100 * size ? 0 : 1)} ${unit}`;
  }
  return `${Math.round(count)} B`;
}

/** @param {number | null} since of performance.now() */
function duration(since) {
  if (since === null) return '';
  const seconds = Math.floor((performance.now() - since) / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
