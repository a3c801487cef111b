// What the kernel has counted for a process and its children: CPU time, memory.

import { existsSync, readdirSync, readFileSync } from 'node:fs';

const TICK_NS = 1e9 / 100; // USER_HZ, which is 100 on every Linux that /proc/PID/stat is read on

const read = path => { try { return readFileSync(path, 'latin1'); } catch { return ''; } }; // gone meanwhile

/** The process and all it has started. */
export function familyOf(pid) {
    const children = threadsOf(pid).flatMap(thread => read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number));
    return [pid, ...children.flatMap(familyOf)];
}

/** Nanoseconds of CPU, user and system, of the family so far. */
export const cpuNs = pid => familyOf(pid).reduce((sum, one) => sum + cpuOfOne(one), 0);

/** Seconds of CPU this machine has worked since it started; and this process with all its ended children. */
export function cpuSeconds() {
    const [user, nice, system, , , irq, softirq, steal] = read('/proc/stat').split('\n')[0].split(/\s+/).slice(1).map(Number);
    const own = read('/proc/self/stat').replace(/^.*\) /s, '').split(' ').slice(11, 15).map(Number);
    return { machine: (user + nice + system + irq + softirq + steal) * TICK_NS / 1e9, own: own.reduce((sum, ticks) => sum + ticks, 0) * TICK_NS / 1e9 };
}

/** Resident bytes of the family. What processes share counts for each, so look at growth. */
export const residentBytes = pid => familyOf(pid).reduce((sum, one) =>
    sum + 1024 * Number(read(`/proc/${one}/status`).match(/^VmRSS:\s+(\d+) kB/m)?.[1] ?? 0), 0);

function threadsOf(pid) {
    try { return readdirSync(`/proc/${pid}/task`); } catch { return []; }
}

/** The scheduler's own count where there is one; else ticks of 10 ms. */
function cpuOfOne(pid) {
    if (existsSync(`/proc/${pid}/schedstat`))
        return threadsOf(pid).reduce((sum, thread) => sum + Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]), 0);
    const fields = read(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ');
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_NS;
}
