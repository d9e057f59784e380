#include <cstdlib>
#include <string>
#include <vector>

#include "client/cli/cli.h"

int main(int argc, char** argv) {
  return incipit::RunCli(std::vector<std::string>(argv + 1, argv + argc),
                         [](const char* name) { return std::getenv(name); });
}
