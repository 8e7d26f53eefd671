/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: how long either end of a call looks for bytes before it sleeps. */
#ifndef EIS_SERVICE_SPIN_H
#define EIS_SERVICE_SPIN_H

/* Longer than the local layers between two calls of a token and than a product of a middling layer take: with the 50 us
 * of the stream a token of 49 calls took 24 ms where it takes 12 ms with this, because each wake-up costs as much as a
 * call. A spinning thread yields, so it costs others little. */
#define EIS_SERVICE_SPIN_US 400

#endif
