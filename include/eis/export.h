/* SPDX-License-Identifier: Apache-2.0 */
/* What the library shows to those who link it. */
#ifndef EIS_EXPORT_H
#define EIS_EXPORT_H

#if defined(__GNUC__)
#define EIS_API      __attribute__((visibility("default")))
#define EIS_MUST_USE __attribute__((warn_unused_result))
#else
#define EIS_API
#define EIS_MUST_USE
#endif

#endif
