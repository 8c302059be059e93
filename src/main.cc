/// `restante`: everything it can do is a subcommand, one file each in cli/.

#include "cli/app.h"

int main(int argc, char** argv) { return restante::run_command_line({argv, argv + argc}); }
