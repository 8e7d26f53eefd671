/* SPDX-License-Identifier: Apache-2.0 */
/* One function per subcommand; each stands in cmd_<name>.c. */
#ifndef EIS_CLI_COMMANDS_H
#define EIS_CLI_COMMANDS_H

int eis_cmd_generate(int argc, char **argv);
int eis_cmd_classify(int argc, char **argv);
int eis_cmd_infer(int argc, char **argv);
int eis_cmd_conform(int argc, char **argv);
int eis_cmd_partition(int argc, char **argv);
int eis_cmd_plan(int argc, char **argv);
int eis_cmd_serve(int argc, char **argv);
int eis_cmd_ca(int argc, char **argv);
int eis_cmd_audit(int argc, char **argv);
int eis_cmd_demo(int argc, char **argv);

/* bench/bench.c; linked into `eis` alone. */
int eis_cmd_bench(int argc, char **argv);

#endif
