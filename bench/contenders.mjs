// Who is measured: one table. `known`: by what credentials. `relaysLike`: its streams are those of another one. `later`: not in
// the quick mode. `settings`: more of keyturn's environment. start() gives the running program.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { call } from '../tests/e2e/http.mjs';
import { until } from '../tests/e2e/wait.mjs';
import { fill, KEYTURN_BIN, ROUTE } from './rig.mjs';
import { freePort } from './stage.mjs';

const here = command => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
const luaIsHere = () => existsSync('/usr/lib/nginx/modules/ngx_http_lua_module.so') && existsSync('/usr/share/lua/5.1/resty/core.lua');

export const YARDSTICK = 'nginx';

export const CONTENDERS = [
    { key: 'nginx', name: 'nginx', what: 'passes on; buffering off', known: 'open', start: startNginx, tls: true },
    { key: 'haproxy', name: 'haproxy', what: 'passes on', known: 'open', start: startHaproxy, tls: true, missing: () => !here('haproxy') && 'haproxy is not installed' },
    { key: 'lua_batched', name: 'nginx + Lua, batched', what: 'token, quota, key in one script; usage written every 100 ms', known: 'rival', start: luaStarter('write_later'), missing: noLua },
    { key: 'lua_usual', name: 'nginx + Lua, usual', what: 'the same; usage written by a timer for each request', known: 'rival', start: luaStarter('write_at_once'), missing: noLua, relaysLike: 'lua_batched' },
    { key: 'plain', name: 'keyturn, plain', what: 'tier without limits, shared key', known: 'plain', start: startKeyturn, tls: true, ours: true },
    { key: 'governed', name: 'keyturn, governed', what: 'token, hold, own sub-key, metering, settlement, ledger', known: 'governed', start: startKeyturn, tls: true, ours: true },
    { key: 'asking', name: 'keyturn, governed, no holds ahead', what: 'each request waits for Redis, as those of users who send few do', known: 'governed', start: startKeyturn, ours: true, later: true, relaysLike: 'governed', settings: { KEYTURN_QUOTA_HOLDS_AHEAD: '0' } },
];

function noLua() {
    return !luaIsHere() && 'the Lua module of nginx is not installed (libnginx-mod-http-lua, lua-resty-core)';
}

/** Starts one of the table; several may run at once. */
export async function startContender(entry, rig) {
    const { stage } = rig, port = await freePort(), directory = stage.room(`${entry.key}-${port}`);
    const program = await entry.start(rig, { port, directory, settings: entry.settings });
    return { ...entry, rig, port, program, pid: program.pid, base: `http://127.0.0.1:${port}`, get heads() { return rig.heads[entry.known]; } };
}

/** One request of each person; all must be answered well. */
export async function warmUp(contender, { people = Infinity } = {}) {
    const body = { model: 'openai/gpt-4o-mini', max_tokens: 16, messages: [{ role: 'user', content: 'hello' }] };
    for (const [i, token] of contender.rig.tokens[contender.known].slice(0, people).entries()) {
        const answer = await call(contender.base, 'POST', ROUTE, { token, body });
        if (answer.status !== 200 || !answer.json?.usage) throw new Error(`${contender.name} answers person ${i} with ${answer.status}: ${answer.text}`);
    }
}

async function startNginx(rig, { port, directory }) {
    const tls = rig.authority && {
        scheme: 'https', tls_lines: `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${rig.authority}; proxy_ssl_server_name on; proxy_ssl_name localhost;`,
    };
    return startListener(rig, 'nginx', port, ['nginx', '-c', configured(rig, 'nginx.conf', { port, directory, ...tls })]);
}

async function startHaproxy(rig, { port, directory }) {
    const tls = rig.authority && { tls_words: `ssl verify required ca-file ${rig.authority} sni str(localhost)` };
    return startListener(rig, 'haproxy', port, ['haproxy', '-db', '-f', configured(rig, 'haproxy.cfg', { port, directory, ...tls })]);
}

function luaStarter(step) {
    return (rig, { port, directory }) => startListener(rig, 'nginx-lua', port, ['nginx', '-c',
        configured(rig, 'nginx-lua.conf', { port, directory, write_step: step, redis: rig.redisSocket, script: rig.admitScript })]);
}

function configured(rig, file, words) {
    return rig.stage.write(`${words.port}-${file}`, fill(rig.stage, file, { upstream: rig.upstream, ...words }));
}

async function startListener(rig, name, port, command) {
    const program = rig.stage.start(`${name}-${port}`, command, { contender: true });
    await rig.stage.listens(program, port);
    return program;
}

async function startKeyturn(rig, { port, directory, settings, name = `keyturn-${port}` }) {
    const program = rig.stage.start(name, [KEYTURN_BIN, 'serve', '--listen', `127.0.0.1:${port}`],
        { contender: true, env: { ...rig.environment, KEYTURN_DATA_DIRECTORY: directory, ...settings } });
    await until('keyturn is ready', async () => {
        rig.stage.mustRun(program);
        const answer = await call(`http://127.0.0.1:${port}`, 'GET', '/readyz', { agent: false }).catch(() => null);
        return answer?.status === 200;
    });
    return program;
}
