/* fault_point.h: where a test may kill the process: builds with KEYTURN_FAULT_POINTS die by SIGKILL when they reach the
 * point that KEYTURN_KILL_AT names ("renewal.got_create"); other builds hold no trace of it.
 */
#ifndef KEYTURN_BASE_FAULT_POINT_H
#define KEYTURN_BASE_FAULT_POINT_H

#ifdef KEYTURN_FAULT_POINTS
void fault_point(const char *way, const char *step);
#else
static inline void fault_point(const char *way, const char *step)
{
    (void)way;
    (void)step;
}
#endif

#endif
