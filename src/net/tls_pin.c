/* SPDX-License-Identifier: Apache-2.0 */
/* Pins as text. */
#include "net/tls.h"
#include "wire/text.h"

#include <string.h>

#define BASE64_PREFIX "sha256//"

/* Copies the digits without the colons that may stand between bytes. Returns false where there are too many. */
static bool strip_colons(char *digits, size_t *length, const char *text)
{
    size_t n = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] == ':' && n > 0 && n % 2 == 0 && text[i + 1] != ':' && text[i + 1] != '\0') continue;
        if (n == 2 * EIS_TLS_PIN_BYTES) return false;
        digits[n++] = text[i];
    }
    *length = n;
    return true;
}

eis_status eis_net_tls_pin_parse(eis_tls_pin *pin, const char *text)
{
    char digits[2 * EIS_TLS_PIN_BYTES];
    eis_tls_pin found;
    size_t length;
    eis_status st = EIS_ERR_ENCODING;

    if (strncmp(text, BASE64_PREFIX, strlen(BASE64_PREFIX)) == 0) {
        const char *base64 = text + strlen(BASE64_PREFIX);

        if (eis_wire_base64_bytes(&length, base64, strlen(base64)) == EIS_OK && length == EIS_TLS_PIN_BYTES)
            st = eis_wire_base64_read(found.bytes, sizeof found.bytes, base64, strlen(base64));
    } else if (strip_colons(digits, &length, text)) {
        st = eis_wire_hex_read(found.bytes, sizeof found.bytes, digits, length);
    }
    if (st != EIS_OK)
        return eis_fail(EIS_ERR_USAGE, "\"%.80s\" is no pin; write the SHA-256 of the public key as 64 hex digits",
                        text);
    *pin = found;
    return EIS_OK;
}

void eis_net_tls_pin_format(char text[2 * EIS_TLS_PIN_BYTES + 1], const eis_tls_pin *pin)
{
    eis_wire_hex_write(text, pin->bytes, EIS_TLS_PIN_BYTES);
}
