// Where a benchmark plays: a temporary directory, the processors, every process that was started. strike() ends them all
// by pid and takes the directory away; it is called at the end, on an error and on a signal.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bounded, pause, until } from '../tests/e2e/wait.mjs';
import { cpuNs, cpuSeconds, familyOf } from './meter.mjs';

export class Stage {
    constructor() {
        this.directory = mkdtempSync(join(tmpdir(), 'keyturn-bench-'));
        this.programs = new Set();
        this.files = Number(readFileSync('/proc/self/limits', 'latin1').match(/^Max open files\s+(\d+)/m)[1]);
        this.cpus = allowedCpus();
        [this.proxyCpu, ...this.loadCpus] = this.cpus;
        if (!this.loadCpus.length) this.loadCpus = [this.proxyCpu];
        this.began = { ...cpuSeconds(), at: Date.now() };
        process.once('exit', () => { for (const { child } of this.programs) child.kill('SIGTERM'); }); // should nobody have called strike()
        execFileSync('taskset', ['-a', '-c', '-p', this.loadCpus.join(','), String(process.pid)], { stdio: 'ignore' });
    }

    /** Streams at once: two descriptors each, and keyturn keeps a sixteenth back for other things. */
    get streamsMost() { return Math.floor(this.files * 0.46); }

    path(...names) { return join(this.directory, ...names); }
    write(name, text) {
        writeFileSync(this.path(name), text);
        return this.path(name);
    }
    room(name) {
        mkdirSync(this.path(name), { recursive: true });
        return this.path(name);
    }

    /** Starts a program; its output goes to a file. `contender`: on the processor of the contenders. */
    start(name, command, { env = {}, contender = false } = {}) {
        const log = this.path(`${name}.out`), output = openSync(log, 'a');
        const words = contender ? ['taskset', '-c', String(this.proxyCpu), ...command] : command;
        const child = spawn(words[0], words.slice(1), { cwd: this.directory, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', output, output] });
        closeSync(output);
        const program = { name, child, pid: child.pid, log, ended: new Promise(done => { child.once('exit', done); child.once('error', done); }) };
        child.once('error', error => { program.fault = error; });
        this.programs.add(program);
        program.ended.then(() => this.programs.delete(program));
        return program;
    }

    /** Runs a program to its end and gives its output; each line is also told as it comes. */
    async run(command, { env = {}, within = 120_000, onLine = () => {} } = {}) {
        const child = spawn(command[0], command.slice(1), { cwd: this.directory, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
        let text = '', complaint = '', told = 0;
        child.stdout.on('data', part => {
            text += part;
            for (let end; (end = text.indexOf('\n', told)) >= 0; told = end + 1) onLine(text.slice(told, end));
        });
        child.stderr.on('data', part => { complaint += part; });
        const program = { name: command[0], child, pid: child.pid };
        this.programs.add(program);
        program.ended = new Promise((done, fail) => { child.once('close', done); child.once('error', fail); });
        try {
            const code = await bounded(`${command.slice(0, 2).join(' ')} ends`, program.ended, within);
            if (code !== 0) throw new Error(`${command.slice(0, 2).join(' ')} ended with ${code}: ${complaint}${text}`);
            return text;
        } finally {
            child.kill('SIGKILL');
            this.programs.delete(program);
        }
    }

    /** The program's port takes connections, or it has ended and says why. */
    async listens(program, port) {
        await until(`${program.name} listens`, async () => {
            this.mustRun(program);
            return new Promise(done => {
                const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); done(true); });
                socket.once('error', () => done(false));
            });
        });
    }
    mustRun(program) {
        if (program.fault) throw program.fault;
        if (program.child.exitCode !== null || program.child.signalCode !== null)
            throw new Error(`${program.name} has ended: ${readFileSync(program.log, 'utf8').slice(-2000)}`);
    }

    /** Waits until the program does nothing any more, so that it is not measured with what went before. */
    async quiet(pid, within = 15_000) {
        const span = 50, idle = 0.02 * span * 1e6;
        for (const end = Date.now() + within; Date.now() < end;) {
            const before = cpuNs(pid);
            await pause(span); // what is looked at is a span of time
            if (cpuNs(pid) - before < idle) return;
        }
    }

    /** The part of the machine's CPUs that others used since the stage was built. */
    get othersShare() {
        const now = cpuSeconds(), running = [...this.programs].reduce((sum, program) => sum + cpuNs(program.pid) / 1e9, 0);
        const others = now.machine - this.began.machine - (now.own - this.began.own) - running;
        return Math.max(0, others / ((Date.now() - this.began.at) / 1000 * this.cpus.length));
    }

    async end(program) {
        const family = program.pid ? familyOf(program.pid) : [];
        program.child.kill('SIGTERM');
        const died = await bounded(program.name, program.ended, 5000).then(() => true, () => false);
        if (!died) for (const pid of family) kill(pid, 'SIGKILL');
        this.programs.delete(program);
    }

    async strike() {
        await Promise.all([...this.programs].map(program => this.end(program)));
        rmSync(this.directory, { recursive: true, force: true });
    }
}

/** A port nobody listens on, from the kernel. */
export async function freePort() {
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((done, fail) => { server.once('listening', done); server.once('error', fail); });
    const { port } = server.address();
    await new Promise(done => server.close(done));
    return port;
}

function kill(pid, signal) {
    try { process.kill(pid, signal); } catch { /* it is gone */ }
}

function allowedCpus() {
    const list = readFileSync('/proc/self/status', 'latin1').match(/^Cpus_allowed_list:\s+(\S+)/m)[1];
    return list.split(',').flatMap(span => {
        const [first, last = first] = span.split('-').map(Number);
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}
