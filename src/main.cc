#include "server/server.h"

int main(int argc, char** argv) { return wsproxy::server::run_program(argc, argv); }
