// One keyturn: started, asked, ended, and looked at for sanitizers and secrets.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { call } from './http.mjs';
import { keyturnBin, Program } from './programs.mjs';
import { bounded, until } from './wait.mjs';

const SANITIZER = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|ERROR: libFuzzer/;

export class Keyturn {
    constructor(world, { name, env = {}, listen = '127.0.0.1:0', args = [], wrap, bin = keyturnBin }) {
        Object.assign(this, { world, name, forgiven: false });
        this.env = world.environment(env);
        const command = [bin, 'serve', '--listen', listen, '--admin-listen', '127.0.0.1:0', ...args];
        const [file, ...rest] = wrap ? wrap(command) : command;
        this.program = new Program(name, file, rest, { env: this.env, cwd: world.directory });
    }

    get pid() { return this.program.pid; }
    get stderr() { return this.program.stderr; }
    get stdout() { return this.program.stdout; }
    /** Whole lines of its log, parsed; a line that is no JSON is an assertion. */
    logs(message) {
        const lines = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1).split('\n').filter(Boolean).map(line => {
            try { return JSON.parse(line); } catch { throw new assert.AssertionError({ message: `no JSON in the log: ${line}` }); }
        });
        return message ? lines.filter(line => typeof message === 'string' ? line.msg === message : message.test(line.msg)) : lines;
    }

    async ready(within = 20_000) {
        await until(`${this.name} is ready`, async () => {
            if (!this.program.isRunning) {
                await this.program.ended;
                throw new Error(`${this.name} ended with ${this.program.code ?? this.program.endSignal}: ${this.stderr}${this.stdout}`);
            }
            [this.base, this.admin] = [this.addresses('clients')[0], this.addresses('operators')[0]];
            const answer = this.base && await call(this.base, 'GET', '/readyz', { agent: false }).catch(() => null);
            return answer?.status === 200;
        }, { within });
        return this;
    }
    /** Where it listens, as it says itself. */
    addresses(whom) {
        return this.logs('listening').filter(line => line.for === whom)
            .map(({ address }) => address.startsWith('unix:') ? address : `http://${address}`);
    }

    async call(method, path, options) {
        const answer = await call(this.base, method, path, options);
        this.world.secrets.look(`reply ${answer.status} of ${method} ${path}`, answer.text + JSON.stringify(answer.headers));
        return answer;
    }

    /** One inference request; `as` names the end user of a service token. */
    chat({ token, as, stream = false, path = '/v1/chat/completions', body = {}, headers = {}, ...options } = {}) {
        const more = { ...headers, ...(as && { 'x-keyturn-user': as }) };
        return this.call('POST', path, { token, headers: more, body: { ...bodyOf(path), ...(stream && { stream }), ...body }, ...options });
    }

    /** The metrics page as { 'name{labels}': number }. */
    async metrics() {
        const page = await call(this.admin, 'GET', '/metrics', { agent: false });
        assert.equal(page.status, 200);
        this.world.secrets.look(`metrics of ${this.name}`, page.text);
        return Object.fromEntries(page.text.split('\n').filter(line => line && !line.startsWith('#'))
            .map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
    }
    residentBytes() {
        return Number(readFileSync(`/proc/${this.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m)[1]) * 1024;
    }

    /** The end of one that must not start: { code, stderr }, and nothing else may be wrong with it. */
    async refusal(within = 30_000) {
        this.forgiven = true;
        const { code, signal } = await bounded(`${this.name} refuses to start`, this.program.ended, within);
        assert.equal(signal, null);
        return { code, stderr: this.stderr };
    }

    /** SIGTERM; anything but a clean end is an assertion. */
    async stop(within = 30_000) {
        await this.lookAround();
        const { code, signal } = await this.program.end('SIGTERM', within);
        assert.deepEqual({ code, signal }, { code: 0, signal: null }, `${this.name}: ${this.stderr}`);
        this.checkStderr();
    }
    /** kill -9; or tells that it has died by itself and that this was wanted. */
    async kill(signal = 'SIGKILL') {
        this.forgiven = true;
        return this.program.end(signal);
    }

    checkStderr() {
        assert.ok(!SANITIZER.test(this.stderr), `${this.name} and a sanitizer:\n${this.stderr.slice(0, 6000)}`);
        this.world.secrets.look(`log of ${this.name}`, this.stdout);
        this.world.secrets.look(`stderr of ${this.name}`, this.stderr);
    }
    async lookAround() {
        if (!this.program.isRunning) return;
        this.world.secrets.look(`command line of ${this.name}`, readFileSync(`/proc/${this.pid}/cmdline`, 'latin1'));
        await this.metrics().catch(() => {});
    }
}

/** The least body a route takes. */
export function bodyOf(path) {
    const model = 'openai/gpt-4o';
    const messages = [{ role: 'user', content: 'hello' }];
    if (path.endsWith('/chat/completions')) return { model, messages };
    if (path.endsWith('/completions')) return { model, prompt: 'hello' };
    if (path.endsWith('/responses')) return { model, input: 'hello' };
    if (path.endsWith('/messages')) return { model, messages, max_tokens: 16 };
    return { model: 'openai/text-embedding-3-small', input: 'hello' };
}
