#include "pace_samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "pace.h"

static int compare(const void *left, const void *right);

void samples_add(struct samples *samples, uint64_t ns)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? 2 * samples->room : 65536;
        samples->us = realloc(samples->us, samples->room * sizeof *samples->us);
        if (!samples->us)
            pace_die("no memory for samples");
    }
    uint64_t us = ns / 1000;
    samples->us[samples->count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void samples_sort(struct samples *samples)
{
    if (samples->count)
        qsort(samples->us, samples->count, sizeof *samples->us, compare);
}

uint32_t samples_quantile(const struct samples *samples, double part)
{
    if (!samples->count)
        return 0;
    size_t at = (size_t)(part * (double)samples->count);
    return samples->us[at < samples->count ? at : samples->count - 1];
}

void samples_print(struct samples *samples)
{
    samples_sort(samples);
    printf("\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"max_us\":%u",
           samples_quantile(samples, 0.5), samples_quantile(samples, 0.9),
           samples_quantile(samples, 0.99), samples_quantile(samples, 0.999),
           samples_quantile(samples, 1));
}

void samples_done(struct samples *samples)
{
    free(samples->us);
    *samples = (struct samples){0};
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}
