/* SPDX-License-Identifier: Apache-2.0 */
/* The engines that `eis serve` knows. Each stands in serve_<engine>.c. */
#ifndef EIS_CLI_SERVE_H
#define EIS_CLI_SERVE_H

int eis_cli_serve_split(int argc, char **argv);
int eis_cli_serve_api(int argc, char **argv);
int eis_cli_serve_triples(int argc, char **argv);
int eis_cli_serve_party(int argc, char **argv);
int eis_cli_serve_coordinator(int argc, char **argv);

#endif
