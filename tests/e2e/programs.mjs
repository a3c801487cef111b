// Programs that a test starts: none of them outlives it. KEYTURN_BIN and OPENROUTER_SIM_BIN name the two of this project; the
// default is build/debug.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join, resolve } from 'node:path';
import { bounded, pause } from './wait.mjs';

const root = resolve(import.meta.dirname, '../..');
export const keyturnBin = process.env.KEYTURN_BIN ?? join(root, 'build/debug/keyturn');
export const simBin = process.env.OPENROUTER_SIM_BIN ?? join(root, 'build/debug/openrouter-sim');
export const repository = root;

const binary = existsSync(keyturnBin) ? readFileSync(keyturnBin) : Buffer.alloc(0);
export const isSanitized = binary.includes('__asan_init');
export const hasFaultPoints = binary.includes('KEYTURN_KILL_AT');

const running = new Set();
process.once('exit', () => { for (const program of running) program.child.kill('SIGKILL'); });
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(name, () => process.exit(1));

export class Program {
    constructor(name, file, args, { env = {}, cwd } = {}) {
        this.name = name;
        this.stdout = this.stderr = '';
        this.child = spawn(file, args, { cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
        this.child.stdout.on('data', part => { this.stdout += part; });
        this.child.stderr.on('data', part => { this.stderr += part; });
        running.add(this);
        const drained = new Promise(done => this.child.once('close', done));
        this.ended = new Promise((done, fail) => {
            this.child.once('error', error => { running.delete(this); fail(error); });
            this.child.once('exit', async (code, signal) => {
                running.delete(this);
                this.code = code;
                this.endSignal = signal;
                await Promise.race([drained, pause(1000)]);
                done({ code, signal });
            });
        });
        this.ended.catch(() => {});
    }

    get pid() { return this.child.pid; }
    get isRunning() { return this.child.exitCode === null && this.child.signalCode === null; }
    signal(name) { this.child.kill(name); }

    /** Sends the signal and waits for the end. */
    async end(signal = 'SIGTERM', within = 20_000) {
        if (this.isRunning) this.signal(signal);
        return bounded(`${this.name} ends after ${signal}`, this.ended, within);
    }
}

/** Runs a command to its end: { code, stdout, stderr }. */
export async function run(file, args, { env, cwd, within = 20_000 } = {}) {
    const program = new Program(file, file, args, { env, cwd });
    try {
        await bounded(`${file} ${args.join(' ')}`, program.ended, within);
    } finally {
        program.signal('SIGKILL');
    }
    return program;
}

/** A port nobody listens on, from the kernel. */
export async function freePort(host = '127.0.0.1') {
    const server = net.createServer().listen(0, host);
    await new Promise((done, fail) => { server.once('listening', done); server.once('error', fail); });
    const { port } = server.address();
    await new Promise(done => server.close(done));
    return port;
}
