/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP library speaks TLS through GnuTLS and asks for a client's certificate without insisting on one; insisting is
 * done here, before the route is even looked up. The one file that knows GnuTLS. */
#include "net/http_exchange.h"
#include "net/tls_context.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <limits.h>

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info == NULL ? NULL : (gnutls_session_t)info->tls_session;
}

eis_status eis_net_http_check_client(struct MHD_Connection *connection)
{
    gnutls_session_t session = session_of(connection);
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned faults = UINT_MAX;
    int failed;

    if (session == NULL) return eis_fail(EIS_ERR_UNAUTHENTICATED, "this server wants TLS with a client certificate");
    failed = gnutls_certificate_verify_peers(session, &purpose, 1, &faults);
    if (failed == GNUTLS_E_NO_CERTIFICATE_FOUND)
        return eis_fail(EIS_ERR_UNAUTHENTICATED, "this server wants a client certificate");
    if (failed < 0 || faults != 0)
        return eis_fail(EIS_ERR_UNAUTHENTICATED, "the client certificate %s",
                        (faults & GNUTLS_CERT_EXPIRED) != 0 ? "has expired" : "comes from no CA that is trusted here");
    return EIS_OK;
}

eis_status eis_net_http_request_pin(eis_tls_pin *pin, const eis_http_request *request)
{
    gnutls_session_t session = session_of(request->connection);
    eis_status st = EIS_OK;
    const gnutls_datum_t *chain = NULL;
    const unsigned char *der;
    eis_tls_pin found;
    unsigned count = 0;
    X509 *cert = NULL;

    if (session != NULL) chain = gnutls_certificate_get_peers(session, &count);
    EIS_REQUIRE(chain != NULL && count > 0, EIS_ERR_NOT_FOUND, "the client showed no certificate");
    der = chain[0].data;
    cert = d2i_X509(NULL, &der, (long)chain[0].size);
    EIS_REQUIRE(cert != NULL, EIS_ERR_NOT_FOUND, "the client's certificate cannot be read");
    EIS_TRY(eis_net_tls_pin_of_cert(&found, cert));
    *pin = found;
out:
    X509_free(cert);
    return st;
}
