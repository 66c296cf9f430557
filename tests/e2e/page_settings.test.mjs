// The page's modules that need no browser: parameters and who wins, addresses, endings, languages, size.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import test from 'node:test';
import { channelUrl, hasSecret, hideSecrets, parseParameters, pathWithSecrets, publicPath, shareableLink, withoutSecrets } from '../../src/web/address.js';
import { explain, probeProxy } from '../../src/web/ending.js';
import { chooseLanguage, languages } from '../../src/web/messages.js';
import { fetchFiles, SettingsStore } from '../../src/web/settings.js';

const web = new URL('../../src/web/', import.meta.url);

/** Storage as a browser's, from an object. */
function storage(content = {}) {
  const kept = new Map(Object.entries(content));
  return { kept, getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };
}

/** The store of a page at this address. */
function storeAt(address, { stored = null, ...files } = {}) {
  return new SettingsStore(new URL(address, 'http://proxy.test:6080/vnc.html'), stored, files);
}

const valuesAt = (address, options) => storeAt(address, options).values;

test('without any parameter every setting has noVNC\'s default', () => {
  assert.deepEqual({ ...valuesAt('') }, {
    autoconnect: false, path: 'websockify', host: '', port: 0, encrypt: false, password: '', username: '', token: '', resize: 'off',
    view_only: false, view_clip: false, reconnect: false, reconnect_delay: 5000, shared: true, quality: 6, compression: 2,
    show_dot: false, bell: 'on', keep_device_awake: false, repeaterID: '', logging: 'warn', controlbar_pos: 'left', lang: '',
  });
});

test('autoconnect is on at a folder\'s address, off at a page\'s, and either link can say otherwise', () => {
  for (const [address, expected] of [
    ['/', true], ['/prefix/', true], ['/vnc.html', false], ['/index.html', false], ['/?autoconnect=0', false], ['/?autoconnect=yes', false],
    ['/vnc.html?autoconnect=true', true], ['/vnc.html?autoconnect=1', true], ['/vnc.html#autoconnect=1', true], ['/vnc.html?autoconnect=on', false],
  ]) assert.equal(valuesAt(address).autoconnect, expected, address);
});

test('encrypt is as the page unless somebody says', () => {
  assert.equal(valuesAt('https://proxy.test/vnc.html').encrypt, true);
  assert.equal(valuesAt('https://proxy.test/vnc.html?encrypt=0').encrypt, false);
  assert.equal(valuesAt('?encrypt=1').encrypt, true);
});

const flags = ['encrypt', 'view_only', 'view_clip', 'reconnect', 'shared', 'show_dot', 'keep_device_awake'];
for (const name of flags) {
  test(`${name}: 0, no and false in any case are false, all else is true`, () => {
    for (const value of ['0', 'no', 'false', 'No', 'FALSE']) assert.equal(valuesAt(`?${name}=${value}`)[name], false, value);
    for (const value of ['1', 'yes', 'true', 'on', '']) assert.equal(valuesAt(`?${name}=${value}`)[name], true, value);
  });
}

const numbers = { port: [0, 65535], reconnect_delay: [0, 86_400_000], quality: [0, 9], compression: [0, 9] };
for (const [name, [low, high]] of Object.entries(numbers)) {
  test(`${name}: a number from ${low} to ${high}, anything else as if it were not given`, () => {
    const standard = valuesAt('')[name];
    for (const value of [low, high, 7]) assert.equal(valuesAt(`?${name}=${value}`)[name], value);
    for (const value of [high + 1, '-1', '1.5', '0x5', 'many', '', '5e0']) assert.equal(valuesAt(`?${name}=${value}`)[name], standard, String(value));
  });
}

const choices = {
  resize: ['off', 'scale', 'remote'], logging: ['error', 'warn', 'info', 'debug'], controlbar_pos: ['left', 'right', 'top', 'bottom'],
};
for (const [name, words] of Object.entries(choices)) {
  test(`${name}: one of ${words.join(', ')}, anything else as if it were not given`, () => {
    for (const word of words) assert.equal(valuesAt(`#${name}=${word}`)[name], word);
    const standard = valuesAt('')[name];
    for (const word of ['middle', '', words[2].toUpperCase(), `${words[2]}%20`]) assert.equal(valuesAt(`#${name}=${word}`)[name], standard, word);
  });
}

for (const name of ['path', 'host', 'password', 'username', 'token', 'bell', 'repeaterID', 'lang']) {
  test(`${name}: any text, decoded once, plus signs kept`, () => {
    for (const text of ['a+b', 'ä/日?本=&#;', '100%25', ' blanks ', '']) {
      assert.equal(valuesAt(`?${name}=${encodeURIComponent(text)}`)[name], text);
      assert.equal(valuesAt(`#${name}=${encodeURIComponent(text)}`)[name], text);
    }
    assert.equal(valuesAt(`?${name}=a+b%zz`)[name], 'a+b%zz', 'no encoding: taken as it is');
  });
}

test('who wins: mandatory, fragment, query, stored, defaults, built-in', () => {
  const layers = {
    mandatory: { mandatory: { quality: 1 } },
    fragment: '#quality=2',
    query: '?quality=3',
    stored: { stored: storage({ 'wsproxy.quality': '4' }) },
    defaults: { defaults: { quality: 5 } },
  };
  const value = (...names) => {
    const on = (name) => names.includes(name);
    const address = (on('query') ? layers.query : '') + (on('fragment') ? layers.fragment : '');
    return valuesAt(address, Object.assign({}, ...['mandatory', 'stored', 'defaults'].filter(on).map((name) => layers[name]))).quality;
  };
  assert.equal(value('mandatory', 'fragment', 'query', 'stored', 'defaults'), 1);
  assert.equal(value('fragment', 'query', 'stored', 'defaults'), 2);
  assert.equal(value('query', 'stored', 'defaults'), 3);
  assert.equal(value('stored', 'defaults'), 4);
  assert.equal(value('defaults'), 5);
  assert.equal(value(), 6);
});

test('a layer whose value is not valid leaves the word to the next', () => {
  const stored = storage({ 'wsproxy.quality': 'best' });
  assert.equal(valuesAt('?quality=3#quality=99', { stored, mandatory: { quality: 'x' }, defaults: { quality: 5 } }).quality, 3);
  assert.equal(valuesAt('#quality=99', { stored, mandatory: { quality: null }, defaults: { quality: 5 } }).quality, 5);
});

test('every name follows the same order, from each layer', () => {
  const other = {
    path: 'p', host: 'h', port: '5', encrypt: '1', resize: 'scale', view_only: '1', view_clip: '1', reconnect: '1', reconnect_delay: '9',
    shared: '0', quality: '1', compression: '9', show_dot: '1', bell: 'off', keep_device_awake: '1', repeaterID: 'r', logging: 'debug', controlbar_pos: 'top', lang: 'de',
  };
  const standard = valuesAt('');
  for (const [name, value] of Object.entries(other)) {
    const expected = valuesAt(`?${name}=${value}`)[name];
    assert.notEqual(expected, standard[name], name);
    assert.equal(valuesAt(`#${name}=${value}`)[name], expected, `${name} of the fragment`);
    assert.equal(valuesAt('', { stored: storage({ [`wsproxy.${name}`]: value }) })[name], expected, `${name} stored`);
    assert.equal(valuesAt('', { defaults: { [name]: value } })[name], expected, `${name} of defaults.json`);
    const store = storeAt(`#${name}=${standard[name]}`, { mandatory: { [name]: value } });
    assert.equal(store.values[name], expected, `${name} of mandatory.json`);
    assert.deepEqual([...store.fixed], [name]);
  }
});

test('the administrator\'s files take numbers and booleans too, and nothing inherited', () => {
  const { quality, view_only: viewOnly, path, resize } = valuesAt('', { defaults: { quality: 0, view_only: true, path: ['x'], resize: {} } });
  assert.deepEqual([quality, viewOnly, path, resize], [0, true, 'websockify', 'off']);
  assert.equal(valuesAt('', { defaults: Object.create({ quality: 1 }) }).quality, 6);
});

test('a choice in the page is stored; an invalid or a locked one changes nothing', () => {
  const stored = storage();
  const store = storeAt('', { stored, mandatory: { compression: 4 } });
  const heard = [];
  store.onChange((name) => heard.push(name));
  store.change('quality', '9');
  store.change('quality', '10');
  store.change('compression', '1');
  assert.deepEqual([store.values.quality, store.values.compression], [9, 4]);
  assert.deepEqual(heard, ['quality']);
  assert.deepEqual([...stored.kept], [['wsproxy.quality', '9']]);
});

test('password, user name, token and autoconnect are neither stored nor read from there', () => {
  const stored = storage({ 'wsproxy.password': 'p', 'wsproxy.username': 'u', 'wsproxy.token': 't', 'wsproxy.autoconnect': '1' });
  const before = [...stored.kept];
  const store = storeAt('', { stored });
  for (const name of ['password', 'username', 'token']) assert.equal(store.values[name], '');
  assert.equal(store.values.autoconnect, false);
  for (const name of ['password', 'username', 'token', 'autoconnect']) store.change(name, 'new');
  assert.deepEqual([...stored.kept], before);
});

test('a storage that throws is as good as none', () => {
  const fail = () => {
    throw new Error('forbidden');
  };
  const store = storeAt('', { stored: { getItem: fail, setItem: fail } });
  store.change('quality', '3');
  assert.equal(store.values.quality, 3);
});

test('the administrator\'s files: missing, broken and odd ones are empty, the other one counts', async () => {
  const answer = (text, ok = true) => ({ ok, json: async () => JSON.parse(text) });
  for (const [defaults, expected] of [
    [() => answer('{"quality":1}'), { quality: 1 }], [() => answer('{"quality":1}', false), {}], [() => answer('{oops'), {}],
    [() => answer('null'), {}], [() => answer('"text"'), {}], [() => Promise.reject(new Error('no network')), {}],
  ]) {
    const asked = [];
    const files = await fetchFiles(async (url) => {
      asked.push(url);
      return url.endsWith('mandatory.json') ? answer('{"bell":"off"}') : defaults();
    });
    assert.deepEqual(files, { defaults: expected, mandatory: { bell: 'off' } });
    assert.deepEqual(asked, ['./defaults.json', './mandatory.json']);
  }
});

test('the last of equal parameters wins, an empty part has none', () => {
  assert.deepEqual([...parseParameters('?a=1&b&a=2&&c=d=e')], [['a', '2'], ['b', ''], ['c', 'd=e']]);
  assert.equal(parseParameters('').size, 0);
  assert.equal(parseParameters('#').size, 0);
});

/** The WebSocket's address of a page with these parameters. */
function channelAt(page) {
  return channelUrl(storeAt(page).values, new URL(page, 'http://proxy.test:6080/vnc.html').href).href;
}

for (const [page, expected] of [
  ['', 'ws://proxy.test:6080/websockify'],
  ['https://proxy.test/vnc.html', 'wss://proxy.test/websockify'],
  ['/a/b/vnc.html', 'ws://proxy.test:6080/a/b/websockify'],
  ['/a/b/', 'ws://proxy.test:6080/a/b/websockify'],
  ['/a/vnc.html?path=/ws', 'ws://proxy.test:6080/ws'],
  ['/a/vnc.html?path=../ws', 'ws://proxy.test:6080/ws'],
  ['?path=websockify%3Ftoken%3Dabc', 'ws://proxy.test:6080/websockify?token=abc'],
  ['?path=websockify?token=abc', 'ws://proxy.test:6080/websockify?token=abc'],
  ['?token=abc', 'ws://proxy.test:6080/websockify?token=abc'],
  ['?token=a%26b%2Bc', 'ws://proxy.test:6080/websockify?token=a%26b%2Bc'],
  ['?token=abc&path=ws%3Fx%3D1', 'ws://proxy.test:6080/ws?x=1&token=abc'],
  ['?token=abc&path=ws%3Ftoken%3Dxyz', 'ws://proxy.test:6080/ws?token=xyz'],
  ['?path=ws%23x', 'ws://proxy.test:6080/ws'],
  ['?host=other.test', 'ws://other.test/websockify'],
  ['/a/vnc.html?host=other.test&port=6081&path=/ws', 'ws://other.test:6081/ws'],
  ['?host=other.test&port=443&encrypt=1', 'wss://other.test/websockify'],
  ['https://proxy.test/vnc.html?host=other.test', 'wss://other.test/websockify'],
  ['https://proxy.test/vnc.html?host=other.test&encrypt=0', 'ws://other.test/websockify'],
  ['?host=%5B::1%5D&port=6081', 'ws://[::1]:6081/websockify'],
  ['?port=6081', 'ws://proxy.test:6080/websockify'],
  ['?encrypt=1', 'ws://proxy.test:6080/websockify'],
  ['?host=other.test&token=abc', 'ws://other.test/websockify?token=abc'],
]) {
  test(`a page at ${page || 'vnc.html'} connects to ${expected}`, () => assert.equal(channelAt(page), expected));
}

test('what makes no WebSocket address throws', () => {
  for (const page of ['?path=http://[', '?path=javascript:alert(1)', '?host=a%20b', '?host=%25zz']) assert.throws(() => channelAt(page), TypeError, page);
});

for (const [before, after] of [
  ['', ''], ['?', ''], ['?a=1', '?a=1'], ['?password=x', ''], ['?a=1&password=x&b=%2f+', '?a=1&b=%2f+'], ['#token=x', ''], ['#a&token&b', '#a&b'],
  ['?pass%77ord=x&a', '?a'], ['?access_token=1&API-Key=2&apikey=3', ''], ['?password=x&password=y', ''], ['?username=u&host=h', '?username=u&host=h'],
  ['?path=w%3Ftoken%3Dt', '?path=w'], ['?path=w?token=t', '?path=w'], ['#path=w?token=t', '#path=w'], ['?path=%77%3f%74oken%3dt', '?path=w'], ['?p%61th=w?token=t', '?path=w'],
  ['?path=w%3Fa%3D1%26token%3Dt%26b%3D2&c', '?path=w%3Fa%3D1%26b%3D2&c'], ['?path=w%3fa%3d1', '?path=w%3fa%3d1'], ['?path=?token=t', '?path='], ['?path=w%23token%3Dt', '?path=w'],
  ['?path=w%3FvncTicket%3Dt%26Password%3Dp%26client_secret%3Ds%26jwt%3Dj', '?path=w'], ['?path=token', '?path=token'], ['?path=a%3Fb%3Fpassword%3Dx', '?path=a'],
  ['?path=%zz?token=t', '?path=%25zz'],
]) {
  test(`without its secrets ${JSON.stringify(before)} is ${JSON.stringify(after)}`, () => assert.equal(withoutSecrets(before), after));
}

test('the address bar is rewritten only when there is a secret in it', () => {
  const written = [];
  const history = { state: 7, replaceState: (...given) => written.push(given) };
  hideSecrets(new URL('http://h/p/vnc.html?a=1#b=2'), history);
  assert.deepEqual(written, []);
  hideSecrets(new URL('http://h/p/vnc.html?a=1&token=t#password=x&b=2'), history);
  hideSecrets(new URL('http://h/?path=w?token=t'), history);
  assert.deepEqual(written, [[7, '', '/p/vnc.html?a=1#b=2'], [7, '', '/?path=w']]);
});

test('a secret inside path is in the WebSocket\'s address, is neither shown nor stored, and outlives a change of path', () => {
  const stored = storage();
  const store = storeAt('?path=ws%3Fa%3D1%26token%3Dsesame', { stored });
  const channel = () => channelUrl(store.values, 'http://proxy.test/');
  assert.equal(channel().href, 'ws://proxy.test/ws?a=1&token=sesame');
  assert.ok(hasSecret(channel()));
  assert.equal(store.shown('path'), 'ws?a=1');
  for (const [typed, address, shown] of [
    ['other', 'other?token=sesame', 'other'], ['x?b=2', 'x?b=2&token=sesame', 'x?b=2'], ['y?token=mine', 'y?token=mine', 'y'], ['z', 'z?token=mine', 'z'],
  ]) {
    store.change('path', typed);
    assert.equal(channel().href, `ws://proxy.test/${address}`);
    assert.equal(store.shown('path'), shown);
    assert.deepEqual([...stored.kept], [['wsproxy.path', shown]]);
  }
  assert.equal(pathWithSecrets('new', 'old?a=1'), 'new');
  assert.equal(publicPath('ws?x=1'), 'ws?x=1');
  assert.equal(hasSecret(new URL('ws://proxy.test/ws?a=1')), false);
});

test('a link to hand on has no password, no user name, no token, nor the one inside path', () => {
  const link = (address) => shareableLink(new URL(address, 'http://proxy.test:6080/'));
  assert.equal(link('/p/vnc.html?resize=scale&username=u&password=p#token=t&quality=3'), 'http://proxy.test:6080/p/vnc.html?resize=scale#quality=3');
  assert.equal(link('/?path=ws%3Ftoken%3Dt%26x%3D1'), 'http://proxy.test:6080/?path=ws%3Fx%3D1');
  assert.equal(link('/?path=ws%3Ftoken%3Dt'), 'http://proxy.test:6080/?path=ws');
  assert.equal(link('/#path=ws?token=t'), 'http://proxy.test:6080/#path=ws');
  assert.doesNotMatch(link('/?path=a%3Fb%3Fpassword%3Dsesame'), /sesame/);
});

const facts = {
  by: null, host: 'proxy.test', secret: true, probe: null, opened: false, connected: false, close: null, security: null, credentials: [], failure: '', start: null,
};
const closed = (code, reason = '') => ({ opened: true, close: { code, reason } });
const refused = (status, reason, more) => ({ opened: true, security: { status, reason }, ...more });
const again = { retry: true };

// Facts about an end, the kind it is, and what differs from: a problem, no retry by itself, password kept.
for (const [what, given, kind, { retry = false, forget = false, tone = 'problem', online = true, secure = true } = {}] of [
  ['the user disconnects', { by: 'user' }, 'user', { tone: 'calm' }],
  ['the user cancels', { by: 'cancelled' }, 'cancelled', { tone: 'calm' }],
  ['the user rejects the server\'s key', { by: 'identity' }, 'identity'],
  ['the address makes no sense', { start: 'address' }, 'address'],
  ['a policy forbids it', { start: 'blocked' }, 'blocked'],
  ['the browser is too old', { start: 'browser' }, 'browser'],
  ['there is no HTTPS for what the server wants', { start: 'insecure' }, 'insecure'],
  ['the password is wrong', refused(1, 'Authentication failure', { credentials: ['password'] }), 'password', { forget: true }],
  ['user name or password is wrong', refused(1, '', { credentials: ['username', 'password'] }), 'signin', { forget: true }],
  ['too many attempts, by number', refused(2, '', { credentials: ['password'] }), 'tooMany'],
  ['too many attempts, by words', refused(1, 'Too many security failures', { credentials: ['password'] }), 'tooMany'],
  ['refused before any sign-in', refused(1, 'go away'), 'refused', again],
  ['no security types but a reason', refused(1, 'busy', { credentials: ['password'], failure: 'no security types' }), 'refused', again],
  ['security types nobody knows', { failure: 'Unsupported security types (types: 99,30)' }, 'types'],
  ['no VNC server', { failure: 'Invalid server version HTTP/1.1' }, 'notVnc', again],
  ['the library finds a fault', { connected: true, failure: 'Bad encoding' }, 'protocol', again],
  ['never opened, no answer by HTTP', { close: { code: 1006, reason: '' } }, 'noProxy', again],
  ['never opened, the proxy says 403', { close: { code: 1006, reason: '' }, probe: 403 }, 'refusedByProxy'],
  ['never opened, a web server before it says 502', { close: { code: 1006, reason: '' }, probe: 502 }, 'noProxy', again],
  ['never opened, this device is offline', { close: { code: 1006, reason: '' }, probe: 403 }, 'offline', { ...again, online: false }],
  ['the network goes away', { ...closed(1006), connected: true }, 'lost', again],
  ['the server ends it', { ...closed(1000), connected: true }, 'server', { ...again, tone: 'calm' }],
  ['closed before the desktop came', closed(1000), 'early', again],
  ['closed without a code', { ...closed(1005), connected: true }, 'server', { ...again, tone: 'calm' }],
  ['the administrator ends it', { ...closed(1000, 'ended by the administrator'), connected: true }, 'admin', { tone: 'calm' }],
  ['the proxy shuts down', { ...closed(1001, 'shutting down'), connected: true }, 'shutdown', { ...again, tone: 'calm' }],
  ['the proxy loses the server', { ...closed(1001, 'connection reset'), connected: true }, 'serverLost', again],
  ['the proxy restarts', closed(1012), 'shutdown', { ...again, tone: 'calm' }],
  ['frames are broken', closed(1002), 'badFrames', again],
  ['not allowed', closed(1008, 'token expired'), 'notAllowed'],
  ['the server is not reachable', closed(1011, 'connection refused'), 'unreachable', again],
  ['the server is gone', { ...closed(1011, 'reset'), connected: true }, 'serverLost', again],
  ['too many connections', closed(1013), 'busy', again],
  ['a code of the future', closed(4321, 'strange'), 'code', again],
]) {
  test(`an end in words: ${what} (${kind})`, () => {
    const ending = explain({ ...facts, ...given }, { online, secure });
    assert.deepEqual({ kind: ending.kind, retry: ending.retry, forget: ending.forget, tone: ending.tone }, { kind, retry, forget, tone });
    assert.match(ending.title, /\w{3}/);
    if (tone === 'problem') assert.match(ending.what + ending.advice, /\w{3}/);
    for (const words of [ending.title, ending.what, ending.advice]) assert.doesNotMatch(words, /\{\w+\}|^end\./);
    const reason = given.close?.reason ?? given.security?.reason ?? '';
    if (reason) assert.equal(ending.reason, reason);
  });
}

test('a refusal without a token says to open the link again', () => {
  for (const given of [closed(1008, 'no token'), { close: { code: 1006, reason: '' }, probe: 403 }]) {
    const advice = (secret) => explain({ ...facts, ...given, secret }, { online: true, secure: true }).advice;
    assert.match(advice(false), /Open that link again/);
    assert.doesNotMatch(advice(true), /Open that link again/);
  }
  assert.doesNotMatch(explain({ ...facts, ...closed(1013), secret: false }, { online: true, secure: true }).advice, /link/);
});

test('no two kinds of end read the same', () => {
  const english = tables.en;
  const texts = Object.keys(english).filter((key) => /^end\.\w+\.title$/.test(key)).map((key) => english[key] + (english[key.replace('title', 'text')] ?? ''));
  assert.ok(texts.length > 20);
  assert.equal(new Set(texts).size, texts.length);
});

test('another origin is not asked whether it is there', async () => {
  assert.equal(await probeProxy(new URL('ws://other.test/ws'), 'http://proxy.test'), null);
});

const files = readdirSync(new URL('lang/', web));
const tables = Object.fromEntries(await Promise.all(files.map(async (file) => [file.replace(/\.js$/, ''), (await import(new URL(`lang/${file}`, web).href)).default])));

test('each language that can be chosen has its table, and each table can be chosen', () => {
  assert.deepEqual(languages().map(([tag]) => tag).sort(), Object.keys(tables).sort());
  assert.deepEqual(Object.keys(tables).sort(), ['de', 'en', 'es', 'fr', 'ja', 'zh-CN']);
});

for (const tag of Object.keys(tables)) {
  test(`${tag}: every text is there, none too many, each with the same placeholders`, () => {
    const holders = (words) => [...words.matchAll(/\{\w+\}/g)].map(([each]) => each).sort();
    assert.deepEqual(Object.keys(tables[tag]).sort(), Object.keys(tables.en).sort());
    for (const [key, words] of Object.entries(tables.en)) {
      assert.match(tables[tag][key], /\S/, key);
      assert.deepEqual(holders(tables[tag][key]), holders(words), key);
    }
  });
}

test('every text the page asks for is there', () => {
  for (const file of readdirSync(web).filter((name) => /\.(js|html)$/.test(name))) {
    const source = readFileSync(new URL(file, web), 'utf8');
    for (const [, key] of [...source.matchAll(/\b(?:text|message)\('([\w.]+)'/g), ...source.matchAll(/data-(?:text|hint|name)="([\w.]+)"/g)]) {
      assert.ok(Object.hasOwn(tables.en, key), `${file}: ${key}`);
    }
  }
});

test('the browser\'s languages choose ours', () => {
  for (const [wanted, expected] of [
    [['de-AT', 'en'], 'de'], [['pt', 'fr-CA'], 'fr'], [['ja-JP'], 'ja'], [['zh-CN'], 'zh-CN'], [['zh'], 'zh-CN'], [['zh-Hans-SG'], 'zh-CN'],
    [['zh-TW', 'ja'], 'ja'], [['zh-Hant'], 'en'], [['EN-us', 'de'], 'en'], [[], 'en'], [['tlh'], 'en'], [['constructor'], 'en'],
  ]) assert.equal(chooseLanguage(wanted), expected, wanted.join());
});

test('the page costs at most 110 KiB over the wire, all its files together', () => {
  const bundle = new URL('../../build/page/', import.meta.url);
  // Nobody's browser asks for the licences by itself.
  const names = readdirSync(bundle).filter((name) => name.endsWith('.gz') && name !== 'LICENSES.txt.gz');
  const sizes = names.map((name) => [name, statSync(new URL(name, bundle)).size]);
  assert.ok(sizes.length >= 8, `${sizes.length} files in build/page`);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  assert.ok(total <= 110 * 1024, `${total} bytes: ${sizes.map(([name, size]) => `${name} ${size}`).join(', ')}`);
});
