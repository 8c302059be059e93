/// `pop3load`: a load generator for POP3 servers, and the seeder of their maildrops.

#include "command_line.h"

int main(int argc, char** argv) { return pop3load::run_command_line(argc, argv); }
