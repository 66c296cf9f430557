// Real VNC servers and the X programs around them. Display and port numbers are the servers' own choice.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run, start, tempDir, until } from './scope.mjs';

/** Starts an X server that says on descriptor 3 which display it got. */
async function startDisplay(t, command, args) {
  const child = start(t, command, ['-displayfd', '3', '-ac', '-noreset', '-nolisten', 'tcp', ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let number = '';
  let ended = false;
  child.stdio[3].setEncoding('utf8').on('data', (text) => (number += text));
  child.exited.then(() => (ended = true));
  await until(`${command} to take clients`, () => ended || number.endsWith('\n'), { timeout: 20_000, last: () => child.output });
  assert.ok(!ended, `${command} ended at once:\n${child.output}`);
  return new Desktop(t, child, `:${number.trim()}`);
}

/** TigerVNC's own X server, with a password or with none. */
export async function startTigerVnc(t, { password, width = 1024, height = 768, args = [] } = {}) {
  const security = ['-SecurityTypes', 'None'];
  if (password !== undefined) {
    const file = path.join(tempDir(t), 'passwd');
    const { code, bytes, stderr } = await run(t, 'tigervncpasswd', ['-f'], { input: `${password}\n` });
    assert.equal(code, 0, stderr);
    writeFileSync(file, bytes, { mode: 0o600 });
    security.splice(0, 2, '-SecurityTypes', 'VncAuth', '-PasswordFile', file);
  }
  const desktop = await startDisplay(t, 'Xtigervnc', [
    '-localhost', '-geometry', `${width}x${height}`, '-depth', '24', '-AlwaysShared', '-UseBlacklist=0', ...security, ...args,
  ]);
  // Without -rfbport it takes 5900 + display: as free as the display was.
  desktop.port = Number(/Listening for VNC connections on .*port (\d+)/.exec(desktop.server.output)?.[1] ?? 5900 + Number(desktop.display.slice(1)));
  return desktop;
}

/** x11vnc on an Xvfb. */
export async function startX11vnc(t, { width = 1024, height = 768 } = {}) {
  const desktop = await startDisplay(t, 'Xvfb', ['-screen', '0', `${width}x${height}x24`]);
  const vnc = start(t, 'x11vnc', [
    '-display', desktop.display, '-autoport', '5990', '-localhost', '-no6', '-noipv6', '-forever', '-shared', '-noxrecord', '-cursor', 'most', '-nopw',
  ]);
  desktop.port = Number(await until('the port of x11vnc', () => /^PORT=(\d+)/m.exec(vnc.output)?.[1], { timeout: 20_000, last: () => vnc.output }));
  return desktop;
}

export class Desktop {
  constructor(t, server, display) {
    this.t = t;
    this.server = server;
    this.display = display;
    this.env = { ...process.env, DISPLAY: display };
    delete this.env.XAUTHORITY;
  }

  /** Starts an X client here. */
  start(command, args, options) {
    return start(this.t, command, args, { env: this.env, ...options });
  }

  /** Runs an X client to its end, which must be a good one. */
  async run(command, args, options) {
    const result = await run(this.t, command, args, { env: this.env, ...options });
    assert.equal(result.code, 0, `${command}: ${result.stderr}`);
    return result;
  }

  /**
   * Covers the screen with noise of 16 colours: nothing a lossy encoding takes, so every byte must arrive.
   * Done when the server shows it.
   */
  async showNoise() {
    const { width, height } = await this.picture();
    const file = path.join(tempDir(this.t), 'noise.xwd');
    const pixels = Buffer.alloc(width * height * 4);
    const noise = randomBytes(width * height);
    for (let i = 0; i < noise.length; i++) {
      const colour = noise[i] & 15;
      // Four bits make the colour: each channel dark or light, and all of it brighter or not.
      const on = colour & 8 ? 255 : 160;
      pixels.writeUInt32LE(((colour & 4 ? on : 20) << 16) | ((colour & 2 ? on : 20) << 8) | (colour & 1 ? on : 20), i * 4);
    }
    writeFileSync(file, xwd(width, height, pixels));
    this.start('xwud', ['-noclick', '-geometry', `${width}x${height}+0+0`, '-in', file]);
    await until('the noise on the screen', async () => (await this.picture()).pixels.equals(pixels), { timeout: 15_000 });
    return { width, height, pixels };
  }

  /** What the screen shows: 4 bytes a pixel, blue first, the fourth 0. */
  async picture() {
    const { bytes } = await this.run('xwd', ['-root', '-silent']);
    const [size, , , , width, height] = Array.from({ length: 25 }, (_, i) => bytes.readUInt32BE(i * 4));
    const stride = bytes.readUInt32BE(12 * 4);
    const colours = bytes.readUInt32BE(19 * 4);
    const from = size + colours * 12;
    assert.equal(bytes.readUInt32BE(11 * 4), 32, 'bits per pixel');
    const pixels = Buffer.alloc(width * height * 4);
    for (let row = 0; row < height; row++) bytes.copy(pixels, row * width * 4, from + row * stride, from + row * stride + width * 4);
    for (let i = 3; i < pixels.length; i += 4) pixels[i] = 0;
    return { width, height, pixels };
  }

  /** A terminal over the whole screen that writes each line typed into it to a file. Gives the file. */
  async startTyping() {
    const file = path.join(tempDir(this.t), 'typed');
    this.start('xterm', ['-geometry', '200x100+0+0', '-bw', '0', '-u8', '-e', '/bin/sh', '-c', 'exec cat >"$0"', file], { env: { ...this.env, LC_ALL: 'C.UTF-8' } });
    await until('the terminal', async () => {
      const { code, stdout } = await run(this.t, 'xdotool', ['search', '--onlyvisible', '--class', 'XTerm'], { env: this.env });
      return code === 0 && stdout.trim() !== '';
    });
    return file;
  }

  /** A window over the whole screen that sees every key. Gives a function: the keys so far, `+Alt_L` down, `-Alt_L` up. */
  async startKeyWitness() {
    const { width, height } = await this.picture();
    const witness = this.start('xev', ['-geometry', `${width}x${height}+0+0`, '-bw', '0', '-event', 'keyboard']);
    await until('the window of xev', async () => (await run(this.t, 'xdotool', ['search', '--onlyvisible', '--name', 'Event Tester'], { env: this.env })).code === 0);
    return () => [...witness.output.matchAll(/^Key(Press|Release) event[^]*?\(keysym 0x[0-9a-f]+, (\w+)\)/gm)].map(([, kind, name]) => (kind === 'Press' ? '+' : '-') + name);
  }

  /** Where the pointer is. */
  async pointer() {
    const { stdout } = await this.run('xdotool', ['getmouselocation', '--shell']);
    return { x: Number(/^X=(\d+)/m.exec(stdout)[1]), y: Number(/^Y=(\d+)/m.exec(stdout)[1]) };
  }

  /** What a program here would paste; '' when nobody offers text. */
  async clipboard() {
    const { code, stdout } = await run(this.t, 'xclip', ['-selection', 'clipboard', '-o', '-t', 'UTF8_STRING'], { env: this.env, timeout: 5000 });
    return code === 0 ? stdout : '';
  }

  /** Copies text as a program here would; it stays offered until the test ends or another copies. */
  copy(text) {
    this.start('xclip', ['-quiet', '-selection', 'clipboard', '-i'], { stdio: ['pipe', 'pipe', 'pipe'] }).stdin.end(text);
  }
}

/** An X window dump (version 7) of 24-bit pixels in 32, least significant byte first. */
function xwd(width, height, pixels) {
  const name = Buffer.from('noise\0');
  const fields = [
    100 + name.length, 7, 2, 24, width, height, 0, 0, 32, 0, 32, 32, width * 4, 4, 0xff0000, 0xff00, 0xff, 8, 256, 0, width, height, 0, 0, 0,
  ];
  const head = Buffer.alloc(100);
  fields.forEach((value, i) => head.writeUInt32BE(value, i * 4));
  return Buffer.concat([head, name, pixels]);
}
