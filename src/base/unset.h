/* unset.h: for large local tables of which only the part that was written is ever read. The release build clears locals
 * that nobody set (cmake/flags.cmake); for these that would cost more than their use.
 *
 * Source    https://gcc.gnu.org/onlinedocs/gcc/Common-Variable-Attributes.html (uninitialized)
 */
#ifndef KEYTURN_BASE_UNSET_H
#define KEYTURN_BASE_UNSET_H

#if defined(__has_attribute) && __has_attribute(uninitialized)
#define UNSET __attribute__((uninitialized))
#else
#define UNSET
#endif

#endif
