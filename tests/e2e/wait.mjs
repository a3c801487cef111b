// Waiting: for a condition, with a deadline. A plain pause is only for what cannot be seen from outside.

export const pause = ms => new Promise(done => setTimeout(done, ms));

/** The promise, but no later than `within` ms. */
export async function bounded(what, promise, within = 20_000) {
    let timer;
    const late = new Promise((_, fail) => {
        timer = setTimeout(() => fail(new Error(`not within ${within} ms: ${what}`)), within);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

const DAY_MS = 86_400_000, SOON_MS = 90_000; // longer than any test takes

/** What is counted in a day or a month of UTC is counted in one: near midnight a test begins after it. */
export async function clearOfMidnight() {
    const left = () => DAY_MS - Date.now() % DAY_MS;
    await until('it is not midnight (UTC) soon', () => left() > SOON_MS, { within: 2 * SOON_MS, every: 200 });
}

/** Asks until the answer is truthy, and returns it. */
export async function until(what, condition, { within = 10_000, every = 20 } = {}) {
    const end = Date.now() + within;
    for (;;) {
        const value = await bounded(what, condition(), within + 1000);
        if (value) return value;
        if (Date.now() >= end) throw new Error(`not within ${within} ms: ${what}`);
        await pause(every);
    }
}
